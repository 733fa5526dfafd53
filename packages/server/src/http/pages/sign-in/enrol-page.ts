import type { Refusal } from '../../../sessions/services.ts'
import { describeBegunTotp } from '../../../with-factors/enrol.ts'
import type { HttpServices } from '../../services.ts'
import { field, form, notice, paragraph, passkeyForm, subtitle } from '../components.ts'
import { appParts, codesParts, wordsOf } from '../factor-parts.ts'
import { pathIn } from '../language.ts'
import { answerPage, type Html } from '../layout.ts'
import { statusOf } from '../proof-page.ts'
import type { Leaving } from './leave.ts'
import { beginAgain, hiddenOf } from './second-factor-page.ts'
import { SECOND_PATH, type Waiting } from './waiting.ts'

interface EnrolView {
  /** The challenge of an app whose QR code the page shows. */
  readonly challenge: string | undefined
  readonly refusal?: Refusal
}

/** Answers with the choice of a factor that the sign-in needs, or with the QR code of an app. */
export async function answerEnrolment(waiting: Waiting, view: EnrolView): Promise<Response> {
  const { services, speech, destination, bearer } = waiting
  const { challenge, refusal } = view
  const setup =
    challenge === undefined
      ? undefined
      : await describeBegunTotp(services.factors, bearer, bearer.username, challenge)
  const { factors } = speech.messages
  const isVoid = challenge !== undefined && setup === undefined
  return answerPage(
    {
      speech,
      site: services.site,
      path: SECOND_PATH,
      query: { return_to: destination.given, challenge },
      title: setup === undefined ? factors.enrolTitle : factors.app.title,
      isWrong: refusal !== undefined || isVoid,
      body: [
        paragraph(factors.secondFor(bearer.username)),
        ...(setup === undefined
          ? choiceOf(waiting, view, isVoid)
          : [appParts(speech.messages, setup), appForm(waiting, view)]),
        beginAgain(waiting),
      ],
    },
    statusOf(refusal),
  )
}

/** Answers a finished enrolment with the recovery codes. The session is open; the link goes on. */
export function answerCodes(
  { speech, cookies }: Leaving,
  { site }: HttpServices,
  codes: readonly string[],
  next: string,
): Response {
  const { messages } = speech
  const body = codesParts(messages, codes, next)
  return answerPage({ speech, site, title: messages.factors.codes.shownTitle, body }, { cookies })
}

function choiceOf(waiting: Waiting, { refusal }: EnrolView, isVoid: boolean): readonly Html[] {
  const { speech, enrol } = waiting
  const { messages } = speech
  const { factors } = messages
  const action = pathIn(speech, SECOND_PATH)
  const error = isVoid ? factors.app.void : refusal && wordsOf(messages, refusal)
  return [
    ...(error === undefined ? [] : [notice(error, { isError: true })]),
    paragraph(factors.enrolLead),
    subtitle(factors.app.title),
    paragraph(factors.app.lead),
    form(action, {
      hidden: { ...hiddenOf(waiting), begin: '1' },
      fields: [],
      button: factors.app.begin,
    }),
    ...(enrol.includes('passkey')
      ? [
          subtitle(factors.kinds.passkey),
          paragraph(factors.passkey.lead),
          passkeyForm(action, {
            kind: 'create',
            hidden: { ...hiddenOf(waiting), method: 'passkey' },
            fields: [],
            button: factors.passkey.button,
            tone: 'plain',
            messages,
          }),
        ]
      : []),
  ]
}

function appForm(waiting: Waiting, { challenge, refusal }: EnrolView): Html {
  const { speech } = waiting
  const { messages } = speech
  return form(pathIn(speech, SECOND_PATH), {
    hidden: { ...hiddenOf(waiting), method: 'totp', challenge },
    fields: [
      field('totp', messages, {
        isFirst: refusal === undefined,
        error: refusal && wordsOf(messages, refusal),
      }),
    ],
    button: messages.factors.app.button,
  })
}
