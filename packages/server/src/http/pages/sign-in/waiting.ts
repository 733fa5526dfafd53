import type { FactorMethod } from '../../../factors/decide.ts'
import type { Caller, Refusal } from '../../../sessions/services.ts'
import type { FactorKind } from '../../../store/factors.ts'
import { readNeed, type TicketBearer } from '../../../with-factors/complete.ts'
import type { HttpServices } from '../../services.ts'
import { pathIn, speechFor, type Speech } from '../language.ts'
import { redirectTo } from '../layout.ts'
import { destinationOf, type Destination } from '../return-to.ts'

/** The page of the second step. */
export const SECOND_PATH = '/sign-in/second-factor'

/** A sign-in that waits in this browser. */
export interface Waiting {
  readonly services: HttpServices
  readonly speech: Speech
  readonly destination: Destination
  readonly caller: Caller
  readonly ticket: string
  readonly bearer: TicketBearer
  /** How the person can go on. Empty if a factor must be enrolled first. */
  readonly methods: readonly FactorMethod[]
  /** The factors that the person can enrol. Empty if the account has one. */
  readonly enrol: readonly FactorKind[]
}

/** Continues a sign-in that needs a second factor: its ticket goes into a cookie, which no script can read. */
export function toSecondFactor(
  { cookies }: HttpServices,
  { ticket, expiresInSec }: NonNullable<Refusal['pending']>,
  { speech, destination }: { readonly speech: Speech; readonly destination: Destination },
  lines: readonly string[] = [],
): Response {
  const path = pathIn(speech, SECOND_PATH, { return_to: destination.given })
  return redirectTo(path, [...lines, cookies.set('pending', ticket, expiresInSec)])
}

/** Reads the sign-in that waits in this browser. Without one, the answer leads to the sign-in page. */
export async function readWaiting(
  services: HttpServices,
  { request, caller }: { readonly request: Request; readonly caller: Caller },
  returnTo: string | undefined,
): Promise<Waiting | Response> {
  const speech = speechFor(request, services.site)
  const destination = destinationOf(services, returnTo)
  const cookie = services.cookies.read(request, 'pending')
  const ticket = cookie.ok ? cookie.value : undefined
  const found = ticket === undefined ? undefined : await readNeed(services.factors, ticket, caller)
  if (ticket === undefined || found?.ok !== true || found.need.kind === 'enough') {
    return toSignIn(services, { speech, destination })
  }
  const { bearer, need } = found
  const methods = need.kind === 'needed' ? need.methods : []
  const enrol = need.kind === 'enrol' ? need.factors : []
  const possible = enrol.filter(
    (each) => each !== 'passkey' || services.factors.relyingParty !== undefined,
  )
  return { services, speech, destination, caller, ticket, bearer, methods, enrol: possible }
}

/** Sends the browser to the sign-in page, which shows who is signed in, if the sign-in was finished in another tab. */
export function toSignIn(
  { cookies }: HttpServices,
  { speech, destination }: Pick<Waiting, 'speech' | 'destination'>,
): Response {
  const path = pathIn(speech, '/sign-in', { return_to: destination.given, done: 'expired' })
  return redirectTo(path, [cookies.clear('pending')])
}

/** The path of the page of a sign-in. */
export function pathOf(
  { speech, destination }: Waiting,
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  return pathIn(speech, SECOND_PATH, { return_to: destination.given, ...more })
}

/** For the checkbox that remembers the browser. */
export function rememberDays({ sessions }: HttpServices): number | undefined {
  const { rememberMs } = sessions.factors
  return rememberMs === undefined ? undefined : Math.max(1, Math.round(rememberMs / DAY_MS))
}

const DAY_MS = 86_400_000
