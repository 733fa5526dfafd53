import type { Membership } from '../rows.ts'
import type { Row } from './database.ts'

/** A column that holds a JSON array of strings, which only this folder writes. */
export function toTexts(text: unknown): readonly string[] {
  return text === '[]' ? [] : (JSON.parse(text as string) as string[])
}

/** Needs the columns `tenant_id`, `name` of the tenant and `roles` of the membership. */
export function toMembership(row: Row): Membership {
  return {
    tenantId: row['tenant_id'] as string,
    tenantName: row['name'] as string,
    roles: toTexts(row['roles']),
  }
}
