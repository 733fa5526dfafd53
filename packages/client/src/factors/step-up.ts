import type { Session } from '../session.ts'
import type { Client } from '../types.ts'
import { askLoggedIn } from './ask.ts'
import { getPasskey } from './ceremony.ts'
import type { StepUpHandler, StepUpMethod, StepUpRequest } from './types.ts'

type Asking = Pick<Client, 'authority' | 'fetch' | 'refresh' | 'onChange' | 'peek'>

const PATH = '/auth/step-up'

/** The step-ups that are not settled. */
const open = new WeakMap<Asking, Promise<boolean>>()

/**
 * Asks the person to confirm who they are, once for all requests that wait for it, and returns whether they did. The
 * newest handler asks. `challenge` is the header `WWW-Authenticate` of the refused request, if it can be read. A step-up
 * in another tab counts. Rejects if the authority cannot say how the person can confirm it.
 */
export function askToStepUp(
  client: Asking,
  handlers: ReadonlySet<StepUpHandler>,
  challenge?: string | null,
): Promise<boolean> {
  const shared =
    open.get(client) ??
    ask(client, [...handlers].at(-1), challenge ?? '').finally(() => open.delete(client))
  open.set(client, shared)
  return shared
}

async function ask(
  client: Asking,
  handler: StepUpHandler = (request) => request.cancel(),
  challenge: string,
): Promise<boolean> {
  const before = client.peek()
  const { methods } = await askLoggedIn(client, 'GET', PATH)
  let settle: (isDone: boolean) => void = () => {}
  const settled = new Promise<boolean>((resolve) => (settle = resolve))
  const unlisten = client.onChange((now) => {
    const decided = decideByChange(before, now)
    if (decided !== undefined) settle(decided)
  })
  const request: StepUpRequest = {
    // The authority's schema for this answer.
    methods: methods as readonly StepUpMethod[],
    ...readDemand(challenge),
    ...methodsOf(client, settle),
    cancel: () => settle(false),
    settled,
  }
  try {
    Promise.resolve(handler(request)).catch(request.cancel)
  } catch {
    request.cancel()
  }
  return settled.finally(unlisten)
}

/** Whether a change of the session ends the wait for a person. Undefined: the wait continues. Pure. */
export function decideByChange(
  before: Session | null | undefined,
  now: Session | null | undefined,
): boolean | undefined {
  if (now === undefined) return undefined
  if (now?.sid !== before?.sid) return false
  return now !== null && now.auth_time > (before?.auth_time ?? 0) ? true : undefined
}

/** Reads what a challenge demands (RFC 9470 §3). Pure. */
export function readDemand(challenge: string): Pick<StepUpRequest, 'maxAgeSec' | 'acrValues'> {
  const valueOf = (name: string): string | undefined =>
    new RegExp(`[\\s,]${name}\\s*=\\s*(?:"([^"]*)"|([^\\s,"]+))`, 'i')
      .exec(challenge)
      ?.slice(1)
      .find((value) => value !== undefined)
  const maxAge = valueOf('max_age')
  return {
    maxAgeSec: maxAge !== undefined && /^\d+$/.test(maxAge) ? Number(maxAge) : undefined,
    acrValues: valueOf('acr_values')?.split(' ').filter(Boolean) ?? [],
  }
}

/** The functions of a request. The next access token has the new proof, so each one ends with a refresh. */
function methodsOf(
  client: Asking,
  settle: (isDone: boolean) => void,
): Pick<StepUpRequest, 'totp' | 'recoveryCode' | 'password' | 'passkey' | 'mail'> {
  async function prove(method: StepUpMethod, fields: object): Promise<void> {
    await askLoggedIn(client, 'POST', PATH, { method, ...fields })
    // The proof is used up, whatever happens to the refresh. A call with the old token is refused and refreshes again.
    await client.refresh().catch(() => {})
    settle(true)
  }
  const challenge = (method: StepUpMethod): ReturnType<typeof askLoggedIn> =>
    askLoggedIn(client, 'POST', `${PATH}/challenge`, { method })
  return {
    totp: (code) => prove('totp', { code }),
    recoveryCode: (code) => prove('recovery_code', { code }),
    password: (password) => prove('password', { password }),
    async passkey({ signal } = {}) {
      const { challenge: id, options } = await challenge('passkey')
      const response = await getPasskey(options, { signal })
      await prove('passkey', { challenge: id, response })
    },
    async mail() {
      const { challenge: id } = await challenge('mail')
      return { submit: (code) => prove('mail', { challenge: id, code }) }
    },
  }
}
