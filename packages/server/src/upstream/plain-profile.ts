import type { Connection } from './connections.ts'
import { ProfileUnreadable, membersOf, subjectOf, textOf } from './profile-fields.ts'
import type { PlainKind, UpstreamProfile, UpstreamProvider } from './provider.ts'

type Person = Pick<UpstreamProfile, 'subject' | 'name' | 'email'>

/** Asks a provider of plain OAuth 2 who the person is. */
export async function readPlainProfile(
  connection: Connection,
  { protocol, trustsEmail }: UpstreamProvider,
  accessToken: string,
): Promise<UpstreamProfile> {
  if (protocol.kind === 'openid') throw new TypeError('This provider has ID tokens.')
  const { endpoints, issuer, kind } = protocol
  const answer = await getJson(connection, accessToken, endpoints.profile)
  const addresses =
    kind === 'github' && endpoints.emails !== undefined
      ? await getJson(connection, accessToken, endpoints.emails)
      : undefined
  const { subject, name, email } = READERS[kind](answer, addresses)
  return {
    issuer,
    subject,
    label: email?.address ?? name ?? subject,
    name,
    email: email && { ...email, isVerified: email.isVerified && trustsEmail },
    groups: [],
  }
}

/** How each provider describes a person. Pure. Only the id counts; names and addresses can change. */
const READERS: Readonly<Record<PlainKind, (answer: unknown, addresses: unknown) => Person>> = {
  github(answer, addresses) {
    const { id, login } = membersOf(answer)
    return { subject: subjectOf(id), name: textOf(login), email: primaryAddress(addresses) }
  },
  x(answer) {
    const { id, username } = membersOf(membersOf(answer)['data'])
    return { subject: subjectOf(id), name: textOf(username), email: undefined }
  },
  discord(answer) {
    const { id, username, email, verified } = membersOf(answer)
    const address = textOf(email)
    return {
      subject: subjectOf(id),
      name: textOf(username),
      email: address === undefined ? undefined : { address, isVerified: verified === true },
    }
  },
  facebook(answer) {
    const { id, name, email } = membersOf(answer)
    const address = textOf(email)
    // Facebook does not say whether it has verified the address.
    const shown = address === undefined ? undefined : { address, isVerified: false }
    return { subject: subjectOf(id), name: textOf(name), email: shown }
  },
}

function primaryAddress(addresses: unknown): Person['email'] {
  if (!Array.isArray(addresses)) return undefined
  const primary = addresses.map(membersOf).find((each) => each['primary'] === true)
  const address = textOf(primary?.['email'])
  return address === undefined ? undefined : { address, isVerified: primary?.['verified'] === true }
}

async function getJson(
  { library, configuration }: Connection,
  accessToken: string,
  url: string,
): Promise<unknown> {
  const response = await library.fetchProtectedResource(
    configuration,
    accessToken,
    new URL(url),
    'GET',
    undefined,
    // GitHub rejects requests without a name of the program.
    new Headers({ accept: 'application/json', 'user-agent': 'countersign' }),
  )
  if (response.status === 200) return response.json()
  await response.body?.cancel()
  throw new ProfileUnreadable(`The profile was answered with ${response.status}.`)
}
