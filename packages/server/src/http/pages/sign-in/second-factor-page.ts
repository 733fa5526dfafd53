import type { Refusal } from '../../../sessions/services.ts'
import { checkbox, dataFor, linkList, paragraph } from '../components.ts'
import { methodParts, otherMethods, shownMethod, type MethodView } from '../factor-parts.ts'
import { pathIn } from '../language.ts'
import { answerPage, type Html } from '../layout.ts'
import { statusOf } from '../proof-page.ts'
import type { UnknownPasskey } from './unknown-passkey.ts'
import { SECOND_PATH, rememberDays, type Waiting } from './waiting.ts'

interface SecondView {
  /** The way that the person has chosen. */
  readonly asked: string | undefined
  readonly challenge: string | undefined
  readonly refusal?: Refusal
  readonly unknown?: UnknownPasskey | undefined
}

/** Answers with the form for the second factor. */
export function answerSecond(waiting: Waiting, view: SecondView): Response {
  const { services, speech, destination, bearer } = waiting
  const { messages } = speech
  const { refusal } = view
  return answerPage(
    {
      speech,
      site: services.site,
      path: SECOND_PATH,
      query: { return_to: destination.given, method: view.asked, challenge: view.challenge },
      title: messages.factors.secondTitle,
      isWrong: refusal !== undefined,
      formTarget: destination.foreignOrigin,
      body: [
        paragraph(messages.factors.secondFor(bearer.username)),
        ...bodyOf(waiting, view),
        beginAgain(waiting),
      ],
    },
    statusOf(refusal),
  )
}

/** What every form of the second step sends. */
export function hiddenOf({
  destination,
  bearer,
}: Waiting): Readonly<Record<string, string | undefined>> {
  return { login: bearer.subject, return_to: destination.given }
}

/** The link that leaves this sign-in. */
export function beginAgain({ speech, destination, bearer }: Waiting): Html {
  const { tenantName: tenant } = bearer.pending
  const query = { return_to: destination.given, tenant, other: '1' }
  return linkList([[pathIn(speech, '/sign-in', query), speech.messages.factors.beginAgain]])
}

function bodyOf(waiting: Waiting, { asked, challenge, refusal, unknown }: SecondView): Html[] {
  const { services, speech, destination, methods } = waiting
  const { messages } = speech
  const method = shownMethod(methods, asked)
  if (method === undefined) return []
  const days = rememberDays(services)
  const view: MethodView = {
    messages,
    action: pathIn(speech, SECOND_PATH),
    hidden: hiddenOf(waiting),
    method,
    challenge,
    refusal,
    more: days === undefined ? [] : [checkbox('remember', messages.factors.remember(days))],
  }
  const pathFor = (each: string): string =>
    pathIn(speech, SECOND_PATH, { return_to: destination.given, method: each })
  return [
    ...(unknown === undefined ? [] : [dataFor('unknown', unknown)]),
    ...methodParts(view),
    ...otherMethods(view, methods, pathFor),
  ]
}
