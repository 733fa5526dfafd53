import { loadDescribeDevice } from '../../../accounts/device.ts'
import { listOwnSessions } from '../../../sessions/own-sessions.ts'
import { listOwnFactors } from '../../../with-factors/own-factors.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { buttonLink, linkList, paragraph, rows, subtitle } from '../components.ts'
import { pathIn } from '../language.ts'
import type { Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { destinationOf } from '../return-to.ts'
import { deviceRows, dueNotice, emptyNotice, rowOf } from './factors.ts'
import {
  answerAccountPage,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'
import { describeSession } from './sessions.ts'

type Show = Input<PageSession, undefined, AccountQuery, undefined>

/** The page after the first login with a password that was reset. */
export const REVIEW_PATH = '/auth/account/review'

/** Shows the factors, the remembered browsers and the sessions of the account once, with links to remove them. */
export async function showReview(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  const { speech } = visit
  const { messages } = speech
  const own = await listOwnFactors(services.factors, input.who)
  const devices = await deviceRows(visit)
  const { href } = destinationOf(services, input.query.return_to)
  const { factors, sessions } = messages.account.sections
  return answerAccountPage(visit, {
    path: REVIEW_PATH,
    title: messages.factors.review.title,
    body: [
      paragraph(messages.factors.review.lead),
      subtitle(factors.title),
      own.factors.length === 0
        ? emptyNotice(visit)
        : rows(own.factors.map((each) => rowOf(visit, each))),
      ...(devices.length === 0 ? [] : [subtitle(messages.factors.devicesTitle), rows(devices)]),
      linkList([[pathIn(speech, pathOf('factors')), factors.title]]),
      subtitle(sessions.title),
      rows(await sessionRows(visit)),
      linkList([[pathIn(speech, pathOf('sessions')), sessions.title]]),
      buttonLink(href, messages.factors.review.button),
    ],
  })
}

async function sessionRows(visit: AccountVisit): Promise<readonly Html[]> {
  const own = await listOwnSessions(visit.services.sessions, visit.who.state)
  const describe = await loadDescribeDevice()
  return own.map((each) => describeSession(visit, each, describe(each.userAgent)))
}

/** Says after a login by when the account needs a second factor, and leads on. */
export async function showDue(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  const { speech } = visit
  const { due, none } = speech.messages.factors
  const own = await listOwnFactors(services.factors, input.who)
  const { href } = destinationOf(services, input.query.return_to)
  return answerAccountPage(visit, {
    path: '/auth/account/due',
    title: due.title,
    body: [
      ...(own.dueAt === undefined ? [] : dueNotice(visit, own)),
      ...(own.factors.length === 0 ? [paragraph(none)] : []),
      buttonLink(pathIn(speech, pathOf('factors')), due.setUp),
      linkList([[href, due.later]]),
    ],
  })
}
