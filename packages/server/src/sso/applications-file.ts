import { z } from 'zod'

import { hashSecret } from '../accounts/client-secrets.ts'
import { findClosest } from '../base/closest.ts'
import { messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import { checkIdentity, titleOf } from './application-names.ts'
import { parseRegistration, REGISTRATION_MEMBERS, type Registration } from './registration.ts'

/** An application of the file. */
export interface FileApplication {
  readonly id: string
  readonly name: string
  readonly title: string
  readonly registration: Registration
  /** The hashes of its secrets. Undefined if the file names none: they stay as they are. */
  readonly secretHashes: readonly Uint8Array[] | undefined
}

/** The parts of the machine that the file refers to. */
export interface FileSources {
  readonly production: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file. Throws if it cannot. */
  readonly readFile: (path: string) => string
}

const SECRETS_MAX = 2
/** SHA-256, as 64 hexadecimal digits. */
const HASH = /^[\da-f]{64}$/i

const entry = z.looseObject({
  id: z.string('must be text'),
  name: z.string('must be text').optional(),
  title: z.string('must be text').optional(),
  secrets: z
    .array(z.unknown(), 'must be a list')
    .max(SECRETS_MAX, `must have at most ${SECRETS_MAX} secrets`)
    .optional(),
})

const OWN_MEMBERS = ['id', 'name', 'title', 'secrets'] as const

/** Collects mistakes under the place in the file that they are in. */
type Report = (place: string, text: string) => void

/**
 * Parses the file with applications. Returns the applications, or all mistakes: each line names the entry, the member
 * and what is wrong. No line contains a secret.
 */
export function parseApplicationsFile(
  text: string,
  sources: FileSources,
):
  | { readonly ok: true; readonly applications: readonly FileApplication[] }
  | { readonly ok: false; readonly mistakes: readonly string[] } {
  const mistakes: string[] = []
  const report: Report = (place, mistake) => void mistakes.push(`${place}: ${mistake}`)
  const entries = parseList(text, report)
  const applications = entries.flatMap((each, index) => parseEntry(each, index, sources, report))
  for (const member of ['id', 'name'] as const) {
    const values = applications.map((each) => each[member])
    const twice = values.find((value, index) => values.indexOf(value) !== index)
    if (twice !== undefined) report(`the ${member} "${twice}"`, 'two entries have it')
  }
  return mistakes.length === 0 ? { ok: true, applications } : { ok: false, mistakes }
}

function parseList(text: string, report: Report): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(text)
    if (Array.isArray(parsed)) return parsed as unknown[]
    report('the file', 'must contain a list of applications: [{ "id": "shop", ... }]')
  } catch (error) {
    // The message of the parser repeats a part of the text, which may be a secret.
    const at = / at position \d+(?: \(line \d+ column \d+\))?/.exec(messageOf(error))?.[0] ?? ''
    report('the file', `is not JSON${at}`)
  }
  return []
}

function parseEntry(
  given: unknown,
  index: number,
  sources: FileSources,
  report: Report,
): readonly FileApplication[] {
  const parsed = entry.safeParse(given)
  const place = placeOf(given, index)
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      const member = path.length === 0 ? '' : `.${path.join('.')}`
      report(`${place}${member}`, path.length === 0 ? 'must be an object' : message)
    }
    return []
  }
  const { id, name = id, title, secrets, ...registered } = parsed.data
  const identity = checkIdentity({ id, name, title })
  if (identity !== undefined) report(place, identity.replace(/\.$/, ''))
  const secretHashes = secrets?.map((each, at) =>
    hashOf(each, sources, (mistake) => report(`${place}.secrets[${at}]`, mistake)),
  )
  const registration = parseRegistration(registered, sources)
  if (!registration.ok) {
    for (const problem of registration.problems) {
      report(`${place}.${problem.member}`, explain(problem))
    }
    return []
  }
  const hashes = secretHashes?.filter((each) => each !== undefined)
  return [
    {
      id,
      name,
      title: titleOf(title, name),
      registration: registration.registration,
      secretHashes: hashes,
    },
  ]
}

/** Names an entry by its position, and by its id if that is certainly no secret. */
function placeOf(given: unknown, index: number): string {
  const id = typeof given === 'object' && given !== null && 'id' in given ? given.id : undefined
  const isShown = typeof id === 'string' && /^[\w.-]{1,64}$/.test(id)
  return isShown ? `entry ${index + 1} (${id})` : `entry ${index + 1}`
}

function explain({ member, text }: { readonly member: string; readonly text: string }): string {
  if (!text.startsWith('is not a member')) return text
  const known = [...OWN_MEMBERS, ...REGISTRATION_MEMBERS]
  const meant = findClosest(member, known)
  return meant === undefined
    ? `is not a member of an application. The members are ${known.join(', ')}`
    : `is not a member of an application. Did you mean ${meant}?`
}

/** Returns the hash of one secret. It is given as a hash, or by the file or the variable that contains the secret. */
function hashOf(
  given: unknown,
  { env, readFile }: FileSources,
  report: (mistake: string) => void,
): Uint8Array | undefined {
  const members = typeof given === 'object' && given !== null ? Object.entries(given) : []
  const [[kind, value] = []] = members
  if (members.length !== 1 || typeof value !== 'string') {
    report(
      'must be { "sha256": "64 HEX DIGITS" }, { "file": "PATH" } or { "env": "NAME" }. The secret itself does not belong into this file',
    )
    return undefined
  }
  if (kind === 'sha256') {
    if (HASH.test(value)) return Buffer.from(value, 'hex')
    report('sha256 must be 64 hexadecimal digits')
    return undefined
  }
  if (kind !== 'file' && kind !== 'env') {
    report('must have the member sha256, file or env')
    return undefined
  }
  const secret = kind === 'env' ? env[value] : readOrReport(value, readFile, report)
  if (kind === 'env' && secret === undefined) report(`the variable ${value} is not set`)
  return secret === undefined ? undefined : hashChecked(secret.replace(/\r?\n$/, ''), report)
}

function readOrReport(
  path: string,
  readFile: FileSources['readFile'],
  report: (mistake: string) => void,
): string | undefined {
  try {
    return readFile(path)
  } catch (error) {
    report(`the file ${path} cannot be read: ${messageOf(error)}`)
    return undefined
  }
}

function hashChecked(secret: string, report: (mistake: string) => void): Uint8Array | undefined {
  if (secret.length >= limits.secretCharsMin && !/\s/.test(secret)) return hashSecret(secret)
  report(
    `the secret needs at least ${limits.secretCharsMin} random characters, without spaces. Generate one: openssl rand -base64 32`,
  )
  return undefined
}
