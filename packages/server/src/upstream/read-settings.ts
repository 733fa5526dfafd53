import { hostKindOf, isSecureEnough } from '@countersign/guard'

import { canEverybodyWrite } from '../base/ownership.ts'
import { readTextFile } from '../base/text-file.ts'
import { microsoftIssuer, PRESETS, type Preset, type PresetName } from './presets.ts'
import type { ProviderSecret, UpstreamProvider, UpstreamSettings } from './provider.ts'
import { readProviderFile, type FileEntry } from './read-file.ts'

/** The names of the settings that this file reads. */
export type UpstreamSettingName =
  | `upstream${Capitalize<PresetName>}${'Id' | 'Secret'}`
  | 'upstreamMicrosoftTenant'
  | 'upstreamAppleTeamId'
  | 'upstreamAppleKeyId'
  | 'upstreamAppleKeyFile'
  | 'upstreamIssuer'
  | 'upstreamId'
  | 'upstreamSecret'
  | 'upstreamTitle'
  | 'upstreamsFile'

/** The values of the settings. Undefined: not set, or not valid. */
export type UpstreamValues = {
  readonly [K in Exclude<UpstreamSettingName, 'upstreamAppleSecret'>]?: string | undefined
} & {
  readonly upstreamSignUp?: boolean | undefined
  readonly upstreamRedirects?: readonly string[]
  readonly signUp?: boolean
  readonly signUpVerified?: boolean
  readonly allowPrivateHttp?: boolean
}

/** Gets what is wrong, with the setting that a person must change. */
export interface UpstreamMistakes {
  readonly add: (key: keyof UpstreamValues, mistake: string) => void
  readonly nameOf: (key: keyof UpstreamValues) => string
}

/** Reads the providers out of the settings and the file that they name. */
export function readUpstreams(
  values: UpstreamValues,
  mistakes: UpstreamMistakes,
): UpstreamSettings {
  const providers = [
    ...readPresets(values, mistakes),
    ...readIssuer(values, mistakes),
    ...readFile(values, mistakes),
  ]
  const names = providers.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) {
    mistakes.add('upstreamsFile', `there are two providers with the name ${twice}`)
  }
  return {
    providers,
    signUp: values.upstreamSignUp ?? (values.signUp === true || values.signUpVerified === true),
    redirects: values.upstreamRedirects ?? [],
  }
}

function readPresets(
  values: UpstreamValues,
  mistakes: UpstreamMistakes,
): readonly UpstreamProvider[] {
  return (Object.keys(PRESETS) as PresetName[]).flatMap((name) => {
    const idKey = `upstream${capitalize(name)}Id` as const
    const clientId = values[idKey]
    const secret =
      name === 'apple' ? readApple(values, mistakes) : readSecret(name, values, mistakes)
    if (clientId === undefined || secret === undefined) return []
    const preset = PRESETS[name]
    const tenant = name === 'microsoft' ? values.upstreamMicrosoftTenant : undefined
    if (tenant !== undefined && !/^[\w.-]{1,100}$/.test(tenant)) {
      mistakes.add('upstreamMicrosoftTenant', 'must be the id of a tenant, or common')
    }
    const protocol =
      tenant === undefined
        ? preset.protocol
        : ({ kind: 'openid', issuer: microsoftIssuer(tenant) } as const)
    return [{ ...commonOf(name, preset), protocol, clientId, secret }]
  })
}

function commonOf(
  name: string,
  { title, scopes, answersByForm = false }: Omit<Preset, 'protocol'>,
): Omit<UpstreamProvider, 'protocol' | 'clientId' | 'secret'> {
  return { name, title, scopes, answersByForm, trustsEmail: true, roles: undefined }
}

/** The secret of a preset. Undefined, and a mistake, if only one of both settings is there. */
function readSecret(
  name: Exclude<PresetName, 'apple'>,
  values: UpstreamValues,
  mistakes: UpstreamMistakes,
): ProviderSecret | undefined {
  const [idKey, secretKey] = [
    `upstream${capitalize(name)}Id`,
    `upstream${capitalize(name)}Secret`,
  ] as const
  const [id, value] = [values[idKey], values[secretKey]]
  if (id !== undefined && value === undefined) {
    mistakes.add(secretKey, `must be set with ${mistakes.nameOf(idKey)}`)
  }
  if (id === undefined && value !== undefined) {
    mistakes.add(idKey, `must be set with ${mistakes.nameOf(secretKey)}`)
  }
  return value === undefined ? undefined : { kind: 'text', value }
}

const APPLE_KEYS = ['upstreamAppleTeamId', 'upstreamAppleKeyId', 'upstreamAppleKeyFile'] as const

function readApple(values: UpstreamValues, mistakes: UpstreamMistakes): ProviderSecret | undefined {
  const all = ['upstreamAppleId', ...APPLE_KEYS] as const
  const given = all.filter((key) => values[key] !== undefined)
  if (given.length === 0) return undefined
  for (const key of all) {
    if (values[key] === undefined) {
      mistakes.add(key, `must be set with ${given.map((each) => mistakes.nameOf(each)).join(', ')}`)
    }
  }
  const {
    upstreamAppleTeamId: teamId,
    upstreamAppleKeyId: keyId,
    upstreamAppleKeyFile: path,
  } = values
  if (teamId === undefined || keyId === undefined || path === undefined) return undefined
  const privateKey = readSecretFile(path, (mistake) =>
    mistakes.add('upstreamAppleKeyFile', mistake),
  )
  return privateKey === undefined ? undefined : { kind: 'apple', teamId, keyId, privateKey }
}

function readIssuer(
  values: UpstreamValues,
  mistakes: UpstreamMistakes,
): readonly UpstreamProvider[] {
  const { upstreamIssuer: issuer, upstreamId: clientId, upstreamSecret: secret } = values
  const keys = ['upstreamIssuer', 'upstreamId'] as const
  const isAsked = [...keys, 'upstreamSecret', 'upstreamTitle'] as const
  const first = isAsked.find((key) => values[key] !== undefined)
  if (first === undefined) return []
  for (const key of keys) {
    if (values[key] === undefined) mistakes.add(key, `must be set with ${mistakes.nameOf(first)}`)
  }
  if (issuer === undefined || clientId === undefined) return []
  const problem = checkIssuer(issuer, values)
  if (problem !== undefined) {
    mistakes.add('upstreamIssuer', problem)
    return []
  }
  const title = values.upstreamTitle ?? new URL(issuer).host
  return [
    {
      ...commonOf('openid', { title, scopes: ['openid', 'email', 'profile'] }),
      protocol: { kind: 'openid', issuer },
      clientId,
      secret: secret === undefined ? { kind: 'none' } : { kind: 'text', value: secret },
    },
  ]
}

function readFile(values: UpstreamValues, mistakes: UpstreamMistakes): readonly UpstreamProvider[] {
  const { upstreamsFile: path } = values
  if (path === undefined) return []
  const add = (mistake: string): void => mistakes.add('upstreamsFile', mistake)
  const json = readSecretFile(path, add)
  if (json === undefined) return []
  const read = readProviderFile(json)
  if ('problem' in read) {
    add(read.problem)
    return []
  }
  return read.entries.flatMap((entry, index) => {
    const provider = readEntry(entry, values, (problem) => add(`entry ${index + 1}: ${problem}`))
    return provider === undefined ? [] : [provider]
  })
}

const NAME = /^(?!exchange$)[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/

function readEntry(
  entry: FileEntry,
  values: UpstreamValues,
  add: (problem: string) => void,
): UpstreamProvider | undefined {
  const preset = entry.preset === undefined ? undefined : PRESETS[entry.preset]
  const name = entry.name ?? entry.preset ?? ''
  if (!NAME.test(name)) add('name must be 1 to 32 of a-z, 0-9 and "-"; not exchange')
  const protocol = protocolOf(entry, preset, values, add)
  const secret = secretOf(entry, add)
  if (protocol === undefined || secret === undefined) return undefined
  const { clientId, roles, trustEmail = true } = entry
  return {
    name,
    title: entry.title ?? preset?.title ?? name,
    protocol,
    clientId,
    secret,
    scopes: entry.scopes ?? preset?.scopes ?? ['openid', 'email', 'profile'],
    answersByForm: preset?.answersByForm === true,
    trustsEmail: trustEmail,
    roles,
  }
}

function protocolOf(
  { issuer, endpoints }: FileEntry,
  preset: Preset | undefined,
  values: UpstreamValues,
  add: (problem: string) => void,
): UpstreamProvider['protocol'] | undefined {
  if (preset === undefined || preset.protocol.kind === 'openid') {
    const own = issuer ?? preset?.protocol.issuer
    const problem =
      own === undefined
        ? 'issuer is missing'
        : endpoints === undefined
          ? checkIssuer(own, values)
          : 'endpoints are for github, x, discord and facebook'
    if (problem !== undefined) add(problem)
    return own === undefined || problem !== undefined ? undefined : { kind: 'openid', issuer: own }
  }
  if (issuer !== undefined) add('issuer is for OpenID Connect: set endpoints')
  if (endpoints === undefined) return preset.protocol
  for (const url of Object.values(endpoints)) {
    const problem = url === undefined ? undefined : checkIssuer(url, values)
    if (problem !== undefined) add(`endpoints: ${problem}`)
  }
  const { kind } = preset.protocol
  // The subjects of another installation are those of other people.
  const origin = URL.parse(endpoints.authorization)?.origin ?? ''
  return { kind, issuer: `${kind}:${origin}`, endpoints }
}

function secretOf(
  { clientSecret, clientSecretFile, apple }: FileEntry,
  add: (problem: string) => void,
): ProviderSecret | undefined {
  const given = [clientSecret, clientSecretFile, apple].filter((each) => each !== undefined)
  if (given.length > 1) add('set one of clientSecret, clientSecretFile and apple')
  if (apple !== undefined) {
    const { teamId, keyId, keyFile } = apple
    const privateKey = readSecretFile(keyFile, (mistake) => add(`keyFile: ${mistake}`))
    return privateKey === undefined ? undefined : { kind: 'apple', teamId, keyId, privateKey }
  }
  if (clientSecretFile !== undefined) {
    const value = readSecretFile(clientSecretFile, (mistake) => add(`clientSecretFile: ${mistake}`))
    return value === undefined ? undefined : { kind: 'text', value }
  }
  return clientSecret === undefined ? { kind: 'none' } : { kind: 'text', value: clientSecret }
}

/** Codes and client secrets travel to it, so it has the rule of the public URL. */
function checkIssuer(
  issuer: string,
  { allowPrivateHttp = false }: UpstreamValues,
): string | undefined {
  const url = URL.parse(issuer)
  const isHttp = url !== null && /^https?:$/.test(url.protocol) && url.username === ''
  if (!isHttp || url.hash !== '') return 'must be an http or https URL'
  if (isSecureEnough(url, allowPrivateHttp)) return undefined
  return hostKindOf(url.hostname) === 'private'
    ? 'is plain http to another machine'
    : 'must begin with https://'
}

function readSecretFile(path: string, add: (mistake: string) => void): string | undefined {
  try {
    if (canEverybodyWrite(path)) add('every user of this machine can write to the file')
    return readTextFile(path).trim()
  } catch {
    add('the file cannot be read')
    return undefined
  }
}

function capitalize<Name extends string>(name: Name): Capitalize<Name> {
  // The type says what these two calls do.
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}` as Capitalize<Name>
}
