import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import { parseAllDocuments } from 'yaml'

import { ROOT } from './containerfile.ts'

/** An object of Kubernetes. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [member: string]: unknown
}

/** Parses YAML with one object in each document. Throws the first error of the parser. */
export function parseObjects(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors
    if (error !== undefined) throw error
    const value = document.toJS() as KubernetesObject | null
    return value === null ? [] : [value]
  })
}

/** Reads a file of deploy/kubernetes. */
export function readObjects(file: string): readonly KubernetesObject[] {
  return parseObjects(readFileSync(join(ROOT, 'deploy/kubernetes', file), 'utf8'))
}

/** Returns the only object of a kind. Throws an `Error` if the list has no such object, or several. */
export function onlyOf(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const found = objects.filter((object) => object.kind === kind)
  const [first] = found
  if (first === undefined || found.length > 1) throw new Error(`${found.length} of ${kind}`)
  return first
}

/** Returns the only Deployment. `findMistakes` proves its type. */
export function deploymentOf(objects: readonly KubernetesObject[]): IDeployment {
  return onlyOf(objects, 'Deployment') as unknown as IDeployment
}

/**
 * Compares objects with the types that `kubernetes-models` generates from the OpenAPI document of Kubernetes. The
 * compiler finds unknown and missing members, and wrong types. Returns its errors.
 */
export function findMistakes(objects: readonly KubernetesObject[]): readonly string[] {
  const parent = join(ROOT, 'build')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'kubernetes-types-'))
  try {
    const lines = objects.flatMap(({ apiVersion, kind }, at) => [
      `import type { I${kind} as I${at} } from 'kubernetes-models/${apiVersion}/${kind}'`,
      `export const object${at} = ${JSON.stringify(objects[at], null, 1)} satisfies I${at}`,
    ])
    const file = join(folder, 'objects.ts')
    writeFileSync(file, lines.join('\n'))
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--types', '']
    const target = ['--target', 'esnext', '--module', 'esnext', '--moduleResolution', 'bundler']
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options, ...target, file],
      { cwd: ROOT, encoding: 'utf8' },
    )
    return status === 0 ? [] : stdout.trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The names of the environment variables in the table of settings, and those of the store for several nodes. */
export function settingNames(): ReadonlySet<string> {
  const page = readFileSync(join(ROOT, 'docs/reference/settings.md'), 'utf8')
  const names = [...page.matchAll(/^\| `([A-Z_]+)`<br>/gm)].map(([, name = '']) => name)
  return new Set(names)
}

/** The version of the packages. */
export function packageVersion(): string {
  const manifest = readFileSync(join(ROOT, 'packages/server/package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/** Runs a program and returns what it prints. Throws an `Error` with its output if it fails. */
export function capture(program: string, words: readonly string[]): string {
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
