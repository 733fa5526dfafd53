import { presentedBy, requireMail } from '../by-mail/answers.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { speechFor } from './language.ts'
import type { ProofFlow } from './proof-flows.ts'
import { answerProofPage, type ProofView } from './proof-page.ts'
import { readProofState, type ProofState } from './proof-state.ts'
import { rememberedDestination } from './return-to.ts'

/** The parameters of the URL. */
export interface PageQuery {
  readonly link?: string | undefined
  readonly lang?: string | undefined
  readonly return_to?: string | undefined
}

/** What the forms for links and codes send. */
export interface ProofBody {
  readonly link?: string | undefined
  readonly code?: string | undefined
  readonly password?: string | undefined
}

/** Shows the page of a link. Neither uses nor counts anything. */
export async function showProof(
  flow: ProofFlow,
  services: HttpServices,
  { request, query }: Input<undefined, undefined, PageQuery, undefined>,
): Promise<Response> {
  const presented = presentedBy(services, request, { link: query.link })
  const state = await readProofState(requireMail(services), presented, flow.purposes)
  return answerProofPage({
    ...frameOf(flow, services, request, state),
    link: query.link,
    code: undefined,
    fields: fieldsOf(flow, state, false),
  })
}

/** Does what the form asks for, or shows it again with the error. Passwords are not sent back. */
export async function submitProof(
  flow: ProofFlow,
  services: HttpServices,
  { request, caller, body }: Input<undefined, undefined, PageQuery, ProofBody>,
): Promise<Response> {
  const { link, code, password } = body
  const presented = presentedBy(services, request, { link, code })
  const { site } = services
  const destination = rememberedDestination(services, request)
  const shared = { speech: speechFor(request, site), site, destination }
  const used = await flow.submit(services, { ...shared, presented, password, request, caller })
  if (used instanceof Response) return used
  const state: ProofState =
    used.code === 'code_void'
      ? { kind: 'void' }
      : await readProofState(requireMail(services), presented, flow.purposes)
  const isCodeRight = code !== undefined && !used.code.startsWith('code_')
  return answerProofPage({
    ...frameOf(flow, services, request, state),
    link,
    code,
    fields: fieldsOf(flow, state, isCodeRight),
    refusal: used,
  })
}

function fieldsOf(
  flow: ProofFlow,
  { kind }: ProofState,
  isCodeRight: boolean,
): ProofView['fields'] {
  return kind === 'void' || kind === 'nothing' ? undefined : flow.fieldsFor(kind, isCodeRight)
}

function frameOf(
  { page, againPath }: ProofFlow,
  services: HttpServices,
  request: Request,
  state: ProofState,
): Pick<ProofView, 'page' | 'againPath' | 'speech' | 'site' | 'state' | 'formTarget'> {
  const { site } = services
  const { foreignOrigin } = rememberedDestination(services, request)
  // The form of this page ends at the application.
  const formTarget = page === 'log-in' ? foreignOrigin : undefined
  return { page, againPath, speech: speechFor(request, site), site, state, formTarget }
}
