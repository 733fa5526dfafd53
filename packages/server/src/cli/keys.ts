import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'

import { systemClock } from '../base/clock.ts'
import { messageOf, SetupError } from '../base/faults.ts'
import { sealAccessKey, SIGNING_ALGS, type SigningAlg } from '../keys/material.ts'
import { addPendingKey, keepUp, killKey, KeyRing, type KeyRingOptions } from '../keys/ring.ts'
import { KNOWN_AFTER_MS, storedSchedule } from '../keys/schedule.ts'
import { keyOf } from '../keys/plan-ring.ts'
import type { KeyUse, StoredKey } from '../store/rows.ts'
import { JSON_FLAG, type Command, type Flag } from './command.ts'
import { checkChain, readChain, readPrivateKey, signingAlgOf } from './key-files.ts'
import { formatTime, print, printRows } from './print.ts'
import { ringParts } from './ring-parts.ts'
import type { Workbench } from './workbench.ts'

/**
 * Returns the parts of the key ring for commands that change it, with the schedule of the server. Reading the
 * ring proves that the secret of this shell opens the existing keys, so the server can open new keys too.
 */
async function openRing(bench: Workbench): Promise<KeyRingOptions> {
  const read = await ringParts(bench)
  const parts = { ...read, schedule: await storedSchedule(bench.store.keys) }
  await KeyRing.read(parts)
  return parts
}

const list: Command = {
  words: ['keys', 'list'],
  summary: 'list the signing keys, their states and their next changes',
  details: 'Never prints private keys.',
  operands: [],
  flags: JSON_FLAG,
  example: 'keys list',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async ({ store }) => {
      const schedule = await store.keys.schedule()
      const rows = (await store.keys.list()).map((key) => ({
        kid: key.kid,
        use: key.use,
        algorithm: key.alg,
        state: key.state,
        since: new Date(key.changedAt),
        next: nextOf(key, schedule?.rotationMs),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'There are no keys yet.' })
    }),
}

function nextOf(key: StoredKey, rotationMs: number | undefined): string {
  switch (key.state) {
    case 'pending':
      return 'signs when the active key retires'
    case 'active':
      return rotationMs === undefined
        ? 'signs until you rotate it'
        : `retires ${formatTime(key.changedAt + rotationMs)}`
    case 'retiring':
      return `verifies until ${formatTime(key.verifiesUntil ?? 0)}`
    case 'revoked':
      return 'revoked'
  }
}

const ACTIVATE_NOW: Flag = {
  type: 'boolean',
  text: 'Do not wait until services without the revocation feed have fetched the key. They reject its tokens for up to 5 minutes.',
}

const rotate: Command = {
  words: ['keys', 'rotate'],
  summary: 'make the pending key sign now and publish a new pending key',
  details:
    'The previous key keeps verifying until its last token has expired. Nobody has to log in again.',
  operands: [],
  flags: {
    refresh: { type: 'boolean', text: 'Rotate the key of refresh tokens instead.' },
    'activate-now': ACTIVATE_NOW,
  },
  example: 'keys rotate',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async (bench) => {
      const parts = await openRing(bench)
      const use = options['refresh'] === true ? 'refresh' : 'access'
      if (use === 'access' && options['activate-now'] !== true)
        checkIsKnown(await pendingKey(bench))
      await rotateNow(bench, parts, use)
    }),
}

async function pendingKey({ store }: Workbench): Promise<StoredKey | undefined> {
  return keyOf(await store.keys.list(), 'access', 'pending')
}

/** Throws a `SetupError` if services without the revocation feed may not have fetched the key yet. */
function checkIsKnown(pending: StoredKey | undefined): void {
  const known = (pending?.createdAt ?? -Infinity) + KNOWN_AFTER_MS
  if (pending === undefined || systemClock.nowMs() >= known) return
  throw new SetupError(
    `The next key, ${pending.kid}, was published at ${formatTime(pending.createdAt)}. Services without the revocation feed reject its tokens until they have fetched it. Wait until ${formatTime(known)}, or add --activate-now.`,
  )
}

/** Rotates the keys. Prints which key signs now, which still verifies and which signs next. */
async function rotateNow(bench: Workbench, parts: KeyRingOptions, use: KeyUse): Promise<void> {
  const { store } = bench
  const before = keyOf(await store.keys.list(), use, 'active')
  await keepUp(parts, { actor: bench.actor, force: [use] })
  const keys = await store.keys.list()
  const active = keyOf(keys, use, 'active')
  if (active === undefined || active.kid === before?.kid) {
    throw new SetupError(
      'Another command or the server changed the keys at the same time. Check them with: countersign keys list',
    )
  }
  const retired = keys.find(({ kid, state }) => kid === before?.kid && state === 'retiring')
  const next = keyOf(keys, use, 'pending')
  print(`Key ${active.kid} signs ${use} tokens now.`)
  if (retired !== undefined) {
    print(`Key ${retired.kid} verifies its tokens until ${formatTime(retired.verifiesUntil ?? 0)}.`)
  }
  if (next !== undefined) print(`Key ${next.kid} is published and signs next.`)
}

const kill: Command = {
  words: ['keys', 'kill'],
  summary: 'revoke a key and every token that it has signed, at once and everywhere',
  details:
    'Another key signs from then on. After an access key is killed, clients refresh silently. After a refresh key is killed, the people whose refresh tokens it signed must log in again.',
  operands: [{ name: 'KID', text: 'The id of the key, as `keys list` shows it.' }],
  example: 'keys kill 0kG1vFlZ3cLrn6YB1Zt8yqeNQeaXVFwSTBzC3ek5uyo',
  run: ({ operands: [kid = ''], withWorkbench }) =>
    withWorkbench(async (bench) => {
      const parts = await openRing(bench)
      const use = (await bench.store.keys.list()).find((key) => key.kid === kid)?.use
      if (use === undefined || !(await killKey(parts, kid, bench.actor))) {
        throw new SetupError(
          `There is no key ${kid}, or it is already revoked. See: countersign keys list`,
        )
      }
      print(`Key ${kid} is revoked. Another key signs now. ${KILLED[use]}`)
    }),
}

const KILLED: Readonly<Record<KeyUse, string>> = {
  access: 'Clients refresh silently. Nobody has to log in again.',
  refresh:
    'Sessions whose refresh token it signed have ended, and these people must log in again. Services accept the access tokens of these sessions until they expire.',
}

const importKey: Command = {
  words: ['keys', 'import'],
  summary: 'import your own private key as the pending key',
  operands: [{ name: 'FILE', text: 'The private key in PEM, without a passphrase.' }],
  flags: {
    alg: {
      type: 'string',
      value: 'ALG',
      text: `The algorithm: ${SIGNING_ALGS.join(', ')}. Default: the one for this kind of key, RS256 for RSA.`,
    },
    certificate: {
      type: 'string',
      value: 'FILE',
      text: 'The X.509 certificates in PEM. The certificate of this key must be first. They are published as `x5c`.',
    },
    'activate-now': ACTIVATE_NOW,
  },
  example: 'keys import signing.pem --certificate chain.pem',
  run: ({ operands: [path = ''], options, withWorkbench }) =>
    withWorkbench(async (bench) => {
      const parts = await openRing(bench)
      const privateKey = readPrivateKey(path)
      // Both flags above have the type `string`.
      const { alg, certificate } = options as { alg?: string; certificate?: string }
      const chain = certificate === undefined ? [] : readChain(certificate)
      checkChain(chain, privateKey)
      const key = sealImported(parts, privateKey, signingAlgOf(privateKey, alg), chain)
      const replaced = await pendingKey(bench)
      if (!(await addPendingKey(parts, key, bench.actor))) {
        throw new SetupError(`This key was already imported: ${key.kid}.`)
      }
      if (options['activate-now'] === true) {
        await rotateNow(bench, parts, 'access')
        print(
          'Services without the revocation feed may reject its tokens for 5 minutes, until they have fetched the key.',
        )
      } else {
        print(
          `Key ${key.kid} is published and signs when the active key retires. To use it sooner, run: countersign keys rotate`,
        )
        print(
          'The server generates the next key after it. To use your own key again, import it when this key signs.',
        )
      }
      if (key.alg === 'Ed25519') {
        print(
          'PyJWT and other libraries do not know the algorithm name Ed25519. Services that use them reject its tokens.',
        )
      }
      if (replaced !== undefined) {
        print(`Key ${replaced.kid} was pending and has never signed. It was removed.`)
      }
    }),
}

function sealImported(
  parts: KeyRingOptions,
  privateKey: KeyObject,
  alg: SigningAlg,
  chain: readonly X509Certificate[],
): StoredKey {
  try {
    return sealAccessKey(parts, privateKey, {
      alg,
      at: parts.clock.nowMs(),
      imported: true,
      certificates: chain.map(({ raw }) => raw.toString('base64')),
    })
  } catch (error) {
    throw new SetupError(`The key cannot be used for ${alg}: ${messageOf(error)}`)
  }
}

const exportPublic: Command = {
  words: ['keys', 'export-public'],
  summary: 'print the published keys as a JWKS',
  operands: [],
  flags: {
    pem: { type: 'boolean', text: 'Print the keys in PEM, each below a line with its id.' },
  },
  example: 'keys export-public --pem',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async (bench) => {
      const { jwks } = await KeyRing.read(await ringParts(bench))
      if (options['pem'] !== true) return print(JSON.stringify(jwks, null, 2))
      for (const jwk of jwks.keys) {
        print(`# ${jwk.kid} ${jwk.alg}`)
        const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
        print(String(key.export({ type: 'spki', format: 'pem' })).trimEnd())
      }
    }),
}

/** The commands `countersign keys ...`. */
export const keyCommands: readonly Command[] = [list, rotate, kill, importKey, exportPublic]
