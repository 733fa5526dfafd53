import { checkUsername } from '../accounts/usernames.ts'
import type { Random } from '../base/random.ts'

const CHARS_MAX = 40
const TRIES = 5

/**
 * Suggests usernames for a new account, the best first: the name that the provider knows, then the same with digits.
 * A name that looks like another one, or is an address, is reduced to plain letters. Nobody logs in with this name
 * until they set a password, and they can change it.
 */
export function suggestUsernames(name: string | undefined, random: Random): readonly string[] {
  const first = nameFrom(name ?? '')
  const others = Array.from({ length: TRIES }, () => `${first}-${digits(random)}`)
  return [first, ...others, `${first}-${random.bytes(8).toString('hex')}`]
}

function nameFrom(given: string): string {
  const [local = ''] = given.normalize('NFKC').trim().split('@')
  const short = [...local].slice(0, CHARS_MAX).join('').trim()
  if (short !== '' && checkUsername(short) === undefined) return short
  const plain = short
    .normalize('NFD')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/^[-._]+|[-._]+$/g, '')
  return plain !== '' && checkUsername(plain) === undefined ? plain : 'user'
}

function digits(random: Random): string {
  return String(1_000 + (random.bytes(2).readUInt16BE() % 9_000))
}
