import { isFromOurOrigin } from '../browser/page-origin.ts'
import type { Gate } from '../router/gate.ts'
import { answerFailure } from './failure-page.ts'

/**
 * Lets in forms of the server's own pages only. A page of a configured origin has the JSON API, and a page of
 * another site could use the ticket cookie of its visitor, or log the visitor in to a foreign account.
 */
export const ownForm: Gate<undefined> = {
  authentication: 'none',
  csrf: 'own',
  refusals: ['csrf_failed'],
  isAfterBody: false,
  enter: ({ http }, { request }) =>
    isFromOurOrigin(request, new Set([new URL(http.publicUrl).origin]))
      ? { ok: true, who: undefined }
      : { ok: false, response: answerFailure('csrf_failed', request) },
}
