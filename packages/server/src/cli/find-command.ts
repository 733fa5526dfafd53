import { closest } from './closest.ts'
import type { Command } from './command.ts'

/** The result of looking for the command that a command line names. */
export type Found =
  | { readonly kind: 'command'; readonly command: Command }
  /** The beginning of several commands, such as `tenants members`. */
  | { readonly kind: 'group' }
  /** `meant` is the name of the command that the user probably meant. */
  | { readonly kind: 'unknown'; readonly meant: string | undefined }

/** Finds the command that these words begin with. */
export function findCommand(commands: readonly Command[], words: readonly string[]): Found {
  const command = commands.find(({ words: own }) => own.every((word, i) => words[i] === word))
  if (command !== undefined) return { kind: 'command', command }
  const isGroup = commands.some(({ words: own }) => words.every((word, i) => own[i] === word))
  return isGroup ? { kind: 'group' } : { kind: 'unknown', meant: meantBy(commands, words) }
}

/** Each word must be close to the word of the command at its place. Otherwise the hint would be a guess. */
function meantBy(commands: readonly Command[], words: readonly string[]): string | undefined {
  const names = commands.map(({ words: own }) => own)
  let left = names
  for (let i = 0; left.length > 0; i += 1) {
    const ended = left.find((own) => own.length === i)
    if (ended !== undefined) return ended.join(' ')
    const word = words[i]
    // Without more words, the user meant this group.
    if (word === undefined) return left[0]?.slice(0, i).join(' ')
    const meant = closest(word, [...new Set(left.map((own) => own[i] ?? ''))])
    left = left.filter((own) => own[i] === meant)
  }
  return undefined
}
