import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { systemClock } from '../base/clock.ts'
import { messageOf, SetupError } from '../base/faults.ts'
import { isSigningAlg, sealAccessKey, SIGNING_ALGS, type SigningAlg } from '../keys/material.ts'
import { openSharedSecrets } from '../keys/foreign-signer.ts'
import {
  ACCESS_TYP,
  addPendingKey,
  keepUp,
  killKey,
  KeyRing,
  type KeyRingOptions,
} from '../keys/ring.ts'
import { KNOWN_AFTER_MS, ringSchedule, storedSchedule } from '../keys/schedule.ts'
import { createSealer } from '../keys/sealing.ts'
import { readSecret } from '../keys/secret.ts'
import { keyOf } from '../keys/plan-ring.ts'
import type { KeyUse, StoredKey } from '../store/rows.ts'
import { UsageError, withWorkbench, type Command, type Workbench } from './command.ts'
import { formatTime, print, printRows } from './print.ts'

/**
 * What the ring of the server beside us is made of. Throws a `SetupError` where it has no keys yet: those
 * that a command made would be sealed with what this shell has for a secret.
 */
export async function ringParts({
  settings,
  store,
  random,
}: Pick<Workbench, 'settings' | 'store' | 'random'>): Promise<KeyRingOptions> {
  if ((await store.keys.list()).length === 0) {
    throw new SetupError('There are no signing keys yet. Start the server first.')
  }
  const secrets = settings.secrets ?? [readSecret(settings.dataDir)]
  return {
    store: store.keys,
    sealer: createSealer(secrets, random),
    clock: systemClock,
    random,
    // For who only reads it. See `openRing`.
    schedule: ringSchedule(settings),
    foreign: settings.sharedSecrets && openSharedSecrets(settings.sharedSecrets, ACCESS_TYP),
  }
}

/**
 * The same for who changes it: on the server's schedule, and with proof that our secret opens the keys, since a
 * new one must be one that the server can open.
 */
async function openRing(bench: Workbench): Promise<KeyRingOptions> {
  const read = await ringParts(bench)
  const parts = { ...read, schedule: await storedSchedule(bench.store.keys) }
  await KeyRing.read(parts)
  return parts
}

const list: Command = {
  words: ['keys', 'list'],
  usage: 'keys list [--json]',
  summary: 'the signing keys, their states and what comes next, never their secrets',
  operands: { min: 0, max: 0 },
  options: { json: { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ store }) => {
      const schedule = await store.keys.schedule()
      const rows = (await store.keys.list()).map((key) => ({
        kid: key.kid,
        use: key.use,
        algorithm: key.alg,
        state: key.state,
        since: new Date(key.changedAt),
        next: nextOf(key, schedule?.rotationMs),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No keys yet.' })
    }),
}

function nextOf(key: StoredKey, rotationMs: number | undefined): string {
  switch (key.state) {
    case 'pending':
      return 'signs when the active one retires'
    case 'active':
      return rotationMs === undefined
        ? 'signs until somebody rotates it'
        : `retires ${formatTime(key.changedAt + rotationMs)}`
    case 'retiring':
      return `verifies until ${formatTime(key.verifiesUntil ?? 0)}`
    case 'revoked':
      return 'was killed'
  }
}

const rotate: Command = {
  words: ['keys', 'rotate'],
  usage: 'keys rotate [--refresh] [--activate-now]',
  summary: 'let the next key sign now; --refresh: the secret of refresh tokens',
  operands: { min: 0, max: 0 },
  options: { refresh: { type: 'boolean' }, 'activate-now': { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async (bench) => {
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

/** Throws a `SetupError` where services cannot all have the key yet. */
function checkIsKnown(pending: StoredKey | undefined): void {
  const known = (pending?.createdAt ?? -Infinity) + KNOWN_AFTER_MS
  if (pending === undefined || systemClock.nowMs() >= known) return
  throw new SetupError(
    `The next key, ${pending.kid}, was published at ${formatTime(pending.createdAt)}. Services without the feed refuse its tokens until they have fetched it. Wait until ${formatTime(known)}, or say --activate-now.`,
  )
}

/** Rotates, and says what signs now, what verifies still and what comes next. */
async function rotateNow(bench: Workbench, parts: KeyRingOptions, use: KeyUse): Promise<void> {
  const { store } = bench
  const before = keyOf(await store.keys.list(), use, 'active')
  await keepUp(parts, { actor: bench.actor, force: [use] })
  const keys = await store.keys.list()
  const active = keyOf(keys, use, 'active')
  if (active === undefined || active.kid === before?.kid) {
    throw new SetupError('The ring was changed by somebody else meanwhile. See: keys list')
  }
  const retired = keys.find(({ kid, state }) => kid === before?.kid && state === 'retiring')
  const next = keyOf(keys, use, 'pending')
  print(`Key ${active.kid} signs ${use} tokens now.`)
  if (retired !== undefined) {
    print(
      `Key ${retired.kid} verifies what it has signed until ${formatTime(retired.verifiesUntil ?? 0)}.`,
    )
  }
  if (next !== undefined) print(`Key ${next.kid} is the next one, and published.`)
}

const kill: Command = {
  words: ['keys', 'kill'],
  usage: 'keys kill KID',
  summary: 'refuse everything that a key has signed, at once and everywhere',
  operands: { min: 1, max: 1 },
  run: ({ operands: [kid = ''] }) =>
    withWorkbench({ createsData: false }, async (bench) => {
      const parts = await openRing(bench)
      const use = (await bench.store.keys.list()).find((key) => key.kid === kid)?.use
      if (use === undefined || !(await killKey(parts, kid, bench.actor))) {
        throw new SetupError(`There is no key ${kid}, or it was killed before. See: keys list`)
      }
      print(`Key ${kid} is dead. Another one signs now. ${KILLED[use]}`)
    }),
}

const KILLED: Readonly<Record<KeyUse, string>> = {
  access: 'Clients refresh by themselves: nobody has to sign in again.',
  refresh:
    'The sessions that it kept alive are over: their people sign in again. Access tokens that they hold are taken by services until they expire.',
}

const importKey: Command = {
  words: ['keys', 'import'],
  usage: 'keys import FILE [--alg ALG] [--certificate FILE] [--activate-now]',
  summary: 'make a private key of your own (PEM) the next one, with its certificates',
  operands: { min: 1, max: 1 },
  options: {
    alg: { type: 'string' },
    certificate: { type: 'string' },
    'activate-now': { type: 'boolean' },
  },
  run: ({ operands: [path = ''], options }) =>
    withWorkbench({ createsData: false }, async (bench) => {
      const parts = await openRing(bench)
      const privateKey = readPrivateKey(path)
      const { alg, certificate } = options as { alg?: string; certificate?: string }
      const chain = certificate === undefined ? [] : readChain(certificate)
      checkChain(chain, privateKey)
      const key = sealImported(parts, privateKey, algOf(privateKey, alg), chain)
      const replaced = await pendingKey(bench)
      if (!(await addPendingKey(parts, key, bench.actor))) {
        throw new SetupError(`The ring has this key already: ${key.kid}.`)
      }
      if (options['activate-now'] === true) {
        await rotateNow(bench, parts, 'access')
        print('Services without the feed refuse its tokens until they have fetched it: 5 minutes.')
      } else {
        print(
          `Key ${key.kid} is published, and signs when the active one retires. Sooner: keys rotate`,
        )
        print('The one after it is made here again: import that too, when this one signs.')
      }
      if (replaced !== undefined) {
        print(`Key ${replaced.kid} was to be the next one. It is gone, and has never signed.`)
      }
    }),
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    throw new SetupError(`The file cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function readPrivateKey(path: string): KeyObject {
  const text = readText(path)
  if (/^(?:-----BEGIN |Proc-Type:.*)ENCRYPTED/m.test(text)) {
    throw new SetupError(
      `The key in ${path} has a passphrase. Take it off first: openssl pkey -in ${path} -out OTHER_FILE`,
    )
  }
  try {
    return createPrivateKey(text)
  } catch (error) {
    // What OpenSSL says of it helps nobody.
    throw new SetupError(`${path} holds no private key in PEM (-----BEGIN PRIVATE KEY-----).`, {
      cause: error,
    })
  }
}

function readChain(path: string): readonly X509Certificate[] {
  const blocks = readText(path).match(
    /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g,
  )
  if (blocks === null) throw new SetupError(`${path} holds no certificate in PEM.`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (error) {
      throw new SetupError(`Certificate ${index + 1} of ${path} cannot be read.`, { cause: error })
    }
  })
}

function checkChain(chain: readonly X509Certificate[], privateKey: KeyObject): void {
  const [own] = chain
  if (own === undefined) return
  if (!own.publicKey.equals(createPublicKey(privateKey))) {
    throw new SetupError('The first certificate is of another key.')
  }
  for (const [index, certificate] of chain.entries()) {
    const now = systemClock.nowMs()
    if (now < certificate.validFromDate.getTime() || now > certificate.validToDate.getTime()) {
      throw new SetupError(`Certificate ${index + 1} is not valid today.`)
    }
    const issuer = chain[index + 1]
    if (issuer !== undefined && !certificate.verify(issuer.publicKey)) {
      throw new SetupError(`Certificate ${index + 1} is not signed by the next one.`)
    }
  }
}

/** By OpenSSL's names. An RSA key may also be for PS256: then --alg says so. */
const ALGS_OF_KEYS: Readonly<Record<string, SigningAlg>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
  ed25519: 'Ed25519',
  rsa: 'RS256',
  'rsa-pss': 'PS256',
}

function algOf(key: KeyObject, given: string | undefined): SigningAlg {
  if (given !== undefined) {
    if (isSigningAlg(given)) return given
    throw new UsageError(`--alg is one of ${SIGNING_ALGS.join(', ')}`)
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const found = ALGS_OF_KEYS[type === 'ec' ? (details?.namedCurve ?? '') : (type ?? '')]
  if (found !== undefined) return found
  throw new SetupError(`Keys of this kind (${type ?? 'unknown'}) cannot sign tokens here.`)
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
  usage: 'keys export-public [--pem]',
  summary: 'the published keys, as a JWKS or as PEM',
  operands: { min: 0, max: 0 },
  options: { pem: { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async (bench) => {
      const { jwks } = await KeyRing.read(await ringParts(bench))
      if (options['pem'] !== true) return print(JSON.stringify(jwks, null, 2))
      for (const jwk of jwks.keys) {
        print(`# ${jwk.kid} ${jwk.alg}`)
        const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
        print(String(key.export({ type: 'spki', format: 'pem' })).trimEnd())
      }
    }),
}

export const keyCommands: readonly Command[] = [list, rotate, kill, importKey, exportPublic]
