import { z } from 'zod'

/** The scopes and resources that a person has allowed: the JSON in `SsoConsent.allowed`. */
export interface Allowed {
  readonly scopes: readonly string[]
  /** The resources (RFC 8707) besides the server's own audience. */
  readonly resources: readonly string[]
}

const schema = z.object({ scopes: z.array(z.string()), resources: z.array(z.string()) })

/** Reads what was allowed. Throws if it is not this JSON, which is a bug or a broken row. */
export function readAllowed(json: string): Allowed {
  return schema.parse(JSON.parse(json))
}

/** Writes what was allowed, in one order: equal consents are equal texts. */
export function writeAllowed({ scopes, resources }: Allowed): string {
  const sorted = (values: readonly string[]): string[] => [...new Set(values)].toSorted()
  return JSON.stringify({ scopes: sorted(scopes), resources: sorted(resources) })
}

/** Returns a request without the resources that need no consent: the server's own audience. */
export function withoutOwn(
  { scopes, resources }: Allowed,
  { issuer, audience }: { readonly issuer: string; readonly audience: string },
): Allowed {
  return { scopes, resources: resources.filter((each) => each !== issuer && each !== audience) }
}
