import { interactionPolicy, type Context, type Prompt } from 'oidc-provider'

import type { SessionServices } from '../../sessions/services.ts'
import { withoutOwn, type Allowed } from '../consent.ts'
import { decideSignIn, readDemand } from '../decide-sign-in.ts'
import { knownScopes } from '../scopes.ts'
import { accountOf } from './accounts.ts'
import { readResult } from './results.ts'

const { Check, Prompt: PromptClass } = interactionPolicy

/**
 * Creates the rules by which the library sends a person to our pages. They replace its own: those compare the subject of
 * an ID token with the library's `accountId`, which is the id of a session here, and they trust the page that a proof
 * was given.
 */
export function createPolicy(services: SessionServices): readonly Prompt[] {
  const login = new PromptClass(
    { name: 'login', requestable: true },
    () => ({ startedAt: services.store.clock.nowMs() }),
    new Check('sign_in', 'The person must sign in.', 'login_required', (context) =>
      needsSignIn(services, context),
    ),
  )
  login.checks.remove('login_prompt')
  const consent = new PromptClass(
    { name: 'consent', requestable: true },
    (context) => ({ ...withoutOwn(wantedOf(context), services.access) }),
    new Check(
      'consent',
      'The person must allow it.',
      'consent_required',
      // `loadExistingGrant` has found or made a grant if the person need not be asked.
      ({ oidc }) => oidc.grant?.jti === undefined,
    ),
  )
  consent.checks.remove('consent_prompt')
  // The page of a login offers the choice. This makes the library accept the value.
  const choice = new PromptClass({ name: 'select_account', requestable: true }, () => ({}))
  choice.checks.remove('select_account_prompt')
  return [login, choice, consent]
}

function needsSignIn({ store }: SessionServices, context: Context): boolean {
  const account = accountOf(context)
  if (account === undefined) return true
  const { startedAt, isWeakAccepted, isAccountChosen } = readResult(context.oidc.result)
  const demand = readDemand(context.oidc.params)
  if (demand.isChoice && !isAccountChosen) return true
  const decision = decideSignIn(demand, {
    session: account.state.session,
    startedAt,
    now: store.clock.nowMs(),
  })
  return decision !== 'enough' && !(decision === 'weak' && isWeakAccepted)
}

/** Returns the scopes and resources that a request asks for. The resources include the server's own audience. */
export function wantedOf({ oidc }: Context): Allowed {
  return {
    scopes: knownScopes(oidc.params['scope']),
    resources: Object.keys(oidc.resourceServers),
  }
}
