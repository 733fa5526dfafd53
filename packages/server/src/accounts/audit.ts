import { assertOptions } from '../base/options.ts'
import type { AuditEntry } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { assertLimit, cutPage } from './paging.ts'

/** Selects the lines of the audit to list. */
export interface AuditFilter {
  /** Only lines about this account or service account. */
  readonly accountId?: string | undefined
  /** The `next` of the previous page. */
  readonly before?: string | undefined
  /** The number of lines in a page: 1 to 1,000, by default 100. */
  readonly limit?: number | undefined
}

/** A line of the audit. Ids are whole numbers that grow; ids of deleted lines are not used again. */
export type AuditLine = AuditEntry & { readonly id: number }

/** A page of the audit, newest line first. */
export interface AuditPage {
  readonly entries: readonly AuditLine[]
  /** Pass it as `before` to get the next page; undefined on the last page. */
  readonly next: string | undefined
}

/** The audit, as embedding applications read it. */
export interface AuditReader {
  /** Lists what happened, newest first. Throws a `TypeError` if an argument is not valid. */
  list(filter?: AuditFilter): Promise<AuditPage>
}

/** Creates the reader of a store's audit. */
export function createAuditReader({ audit }: Pick<Store, 'audit'>): AuditReader {
  return {
    async list(filter = {}) {
      assertOptions('audit.list', filter, ['accountId', 'before', 'limit'])
      const { accountId, before, limit: wanted } = filter
      const limit = assertLimit(wanted)
      const found = await audit.list({ accountId, before: readCursor(before), limit: limit + 1 })
      const { rows, next } = cutPage(found, limit, ({ id }) => String(id))
      return { entries: rows, next }
    },
  }
}

function readCursor(before: string | undefined): number | undefined {
  if (before === undefined) return undefined
  if (typeof before === 'string' && /^\d{1,15}$/.test(before)) return Number(before)
  throw new TypeError('before must be the next of an earlier page.')
}
