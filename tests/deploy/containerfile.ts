import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))

/** A line of a Containerfile: `RUN`, and what follows it. */
export interface Instruction {
  readonly word: string
  readonly rest: string
}

/** One image of a multi-stage build. */
export interface Stage {
  readonly base: string
  readonly name: string | undefined
  readonly steps: readonly Instruction[]
}

/** Reads our Containerfile. */
export function readContainerfile(): readonly Stage[] {
  return parseContainerfile(readFileSync(`${ROOT}/deploy/container/Containerfile`, 'utf8'))
}

/** Parses a Containerfile without heredocs and parser directives. Throws an `Error` if a line is no instruction. */
export function parseContainerfile(text: string): readonly Stage[] {
  const stages: { base: string; name: string | undefined; steps: Instruction[] }[] = []
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
  for (const line of lines.filter((candidate) => candidate.trim() !== '')) {
    const [, word, rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? []
    if (word === undefined) throw new Error(`Not an instruction: ${line}`)
    if (word === 'FROM') {
      const [, base = '', name] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? []
      stages.push({ base, name, steps: [] })
    } else {
      const stage = stages.at(-1)
      if (stage === undefined) throw new Error(`${word} stands before FROM`)
      stage.steps.push({ word, rest })
    }
  }
  return stages
}

/** Returns what follows each instruction of a kind. */
export function restOf(stage: Stage | undefined, word: string): readonly string[] {
  return (stage?.steps ?? []).filter((step) => step.word === word).map(({ rest }) => rest)
}

/** Parses the `NAME=VALUE` and `NAME="VALUE"` pairs of LABEL and ENV. */
export function parsePairs(lines: readonly string[]): Readonly<Record<string, string>> {
  const pairs = lines.flatMap((line) => [...line.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)])
  return Object.fromEntries(
    pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare ?? '']),
  )
}

/** Parses the JSON form of a command, which runs without a shell. Throws a `SyntaxError` for the other form. */
export function parseCommand(text: string | undefined): readonly string[] {
  return JSON.parse(text ?? '') as readonly string[]
}
