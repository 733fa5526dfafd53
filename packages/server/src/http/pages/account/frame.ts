import { withCookies } from '../../browser/session-answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import {
  ACCOUNT_NOTICES,
  type AccountNotice,
  type AccountSection,
} from '../catalogue/account-messages.ts'
import { notice } from '../components.ts'
import { pathIn, speechFor, type Speech } from '../language.ts'
import { answerPage, redirectTo, type AnswerParts, type Html, type Page } from '../layout.ts'
import type { PageSession } from '../page-session.ts'

/** The parameters of the account pages. */
export interface AccountQuery {
  readonly done?: string | undefined
  readonly before?: string | undefined
  readonly return_to?: string | undefined
  /** A factor. */
  readonly id?: string | undefined
  readonly method?: string | undefined
  readonly challenge?: string | undefined
}

/** A request for one of the account pages, and what its answer needs. */
export interface AccountVisit {
  readonly services: HttpServices
  readonly request: Request
  readonly who: PageSession
  readonly speech: Speech
  /** Binds a form to the session. Every form sends it back as the field `csrf`. */
  readonly csrf: string
}

/** Reads what every account page needs. */
export function visitOf(
  services: HttpServices,
  { request, who }: Pick<Input<PageSession, unknown, unknown, unknown>, 'request' | 'who'>,
): AccountVisit {
  const csrf = services.sessions.csrf.forSession(who.state.session.id)
  return { services, request, who, speech: speechFor(request, services.site), csrf }
}

/** Returns the path of a part of the account page. */
export function pathOf(section: AccountSection): string {
  return `/auth/account/${section}`
}

/** Answers with one of the account pages. The answer carries the cookies of a refresh. */
export function answerAccountPage(
  { services, request, who, speech }: AccountVisit,
  page: Pick<Page, 'title' | 'body' | 'isWrong' | 'formTarget' | 'query'> & {
    readonly path: string
    readonly isOverview?: boolean
  },
  parts: AnswerParts = {},
): Response {
  const { isOverview = false, body, ...others } = page
  const answer = answerPage(
    {
      ...others,
      speech,
      site: services.site,
      isWide: true,
      hasBackLink: !isOverview,
      body: [...noticesOf(request, speech), ...body],
    },
    parts,
  )
  return withCookies(answer, who.newCookies)
}

/** Sends the browser to a page that says what was done. */
export function answerDoneAt(
  { who, speech }: AccountVisit,
  path: string,
  done: AccountNotice,
  cookies: readonly string[] = [],
): Response {
  return redirectTo(pathIn(speech, path, { done }), [...who.newCookies, ...cookies])
}

/** A link of another site must not make the page say that something was done. */
function noticesOf(request: Request, { messages }: Speech): readonly Html[] {
  const site = request.headers.get('sec-fetch-site')
  if (request.method !== 'GET' || site === 'cross-site' || site === 'same-site') return []
  const asked = new URL(request.url).searchParams.get('done')
  const done = ACCOUNT_NOTICES.find((each) => each === asked)
  return done === undefined ? [] : [notice(messages.account.notices[done], { isError: false })]
}
