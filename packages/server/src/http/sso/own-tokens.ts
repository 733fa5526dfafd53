import type { Caller, Refusal } from '../../sessions/services.ts'
import { mayBeApplication } from '../../sso/application-names.ts'
import { proveApplication } from '../../sso/application-secrets.ts'
import { inspectOwnToken, revokeOwnToken } from '../../sso/own-tokens.ts'
import { readRegistration } from '../../sso/registration.ts'
import type { ApplicationView } from '../../store/sso.ts'
import { readForm } from '../body.ts'
import { withoutRevocation } from '../effective.ts'
import { answerTokenJson } from '../oauth2/answers.ts'
import { readClientAuth } from '../oauth2/client-auth.ts'
import { refuseClientWith } from '../oauth2/client-request.ts'
import { describeAccess } from '../oauth2/introspect.ts'
import type { ApiRoute } from '../router/define.ts'
import type { HttpServices } from '../services.ts'

type Purpose = 'revoke' | 'introspect'

/**
 * Lets applications revoke and introspect their own tokens. A caller that is no application is a service account, which
 * the row itself answers.
 */
export function withOwnTokens(row: ApiRoute, purpose: Purpose): ApiRoute {
  return {
    ...row,
    bind: (services) => {
      const answerServiceAccount = row.bind(services)
      if (services.sso === undefined) return answerServiceAccount
      return async (request, caller, params) => {
        const presented = await readPresented(services, request)
        return presented === undefined
          ? answerServiceAccount(request, caller, params)
          : answerApplication(services, presented, purpose, caller)
      }
    },
  }
}

interface Presented {
  readonly view: ApplicationView
  readonly secret: string | undefined
  readonly token: string
}

/** Reads the form of an application. Returns undefined for anything else, which is then reported as before. */
async function readPresented(
  { sessions }: HttpServices,
  request: Request,
): Promise<Presented | undefined> {
  const form = await readForm(request.clone())
  if (!form.ok || form.fields === undefined) return undefined
  const [clientId, secret, token] = ['client_id', 'client_secret', 'token'].map((name) =>
    textOf(form.fields.get(name)),
  )
  const authorization = request.headers.get('authorization')
  const auth = readClientAuth(authorization, { clientId, secret })
  const id = auth.ok ? auth.credentials.clientId : clientId
  // A service account costs no look-up.
  if (id === undefined || token === undefined || !mayBeApplication(id)) return undefined
  if (!auth.ok && (authorization !== null || secret !== undefined)) return undefined
  const view = await sessions.store.sso.applications.view(id)
  return view && { view, token, secret: auth.ok ? auth.credentials.secret : undefined }
}

async function answerApplication(
  { sessions }: HttpServices,
  { view, secret, token }: Presented,
  purpose: Purpose,
  caller: Caller,
): Promise<Response> {
  const { id } = view.application
  const refused = await whyRefused(sessions, view, secret, caller)
  if (refused !== undefined) return refuseClientWith(sessions, refused)
  if (purpose === 'revoke') {
    const { hasRevoked } = await revokeOwnToken(sessions, id, token, caller)
    const answer = new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } })
    return hasRevoked ? answer : withoutRevocation(answer)
  }
  const found = await inspectOwnToken(sessions, id, token)
  if (found === undefined) return answerTokenJson(200, { active: false })
  return answerTokenJson(
    200,
    found.kind === 'access'
      ? describeAccess(found.claims, found.username)
      : { active: true, ...found.claims },
  )
}

/** A public application only names itself. One with a key proves itself at the token endpoint only. */
async function whyRefused(
  sessions: HttpServices['sessions'],
  view: ApplicationView,
  secret: string | undefined,
  caller: Caller,
): Promise<Refusal | undefined> {
  const { application } = view
  const { authMethod } = readRegistration(application.registration)
  const isPublic = authMethod === 'none' && secret === undefined
  if (isPublic && application.disabledAt === undefined) return undefined
  if (secret === undefined || !authMethod.startsWith('client_secret')) {
    return { ok: false, code: 'client_invalid' }
  }
  const proven = await proveApplication(sessions, { id: application.id, secret, view }, caller)
  return proven.ok ? undefined : proven
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
