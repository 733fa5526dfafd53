import type { AccountEmail } from '../store/rows.ts'
import type { Identity } from '../store/identities.ts'
import type { Addressee } from '../store/mail-codes.ts'

/** The facts by which it is decided what an identity earns. */
export interface IdentityFacts {
  /** The identity, if an account has it. */
  readonly identity: Identity | undefined
  /** The address that the issuer has verified. */
  readonly email: AccountEmail | undefined
  /** Whom the address belongs to. Undefined without a verified address. */
  readonly holder: Addressee | undefined
  readonly allowsSignUp: boolean
}

/** The decision about an identity that has just been proved. */
export type IdentityDecision =
  | { readonly kind: 'sign_in'; readonly accountId: string }
  | { readonly kind: 'reclaim'; readonly accountId: string; readonly email: AccountEmail }
  | { readonly kind: 'sign_up'; readonly email: AccountEmail | undefined }
  | { readonly kind: 'refuse'; readonly code: 'identity_unknown' | 'identity_address_taken' }

/**
 * Decides what an identity earns. Pure.
 *
 * Only issuer and subject name a person. A verified address never signs in to an account that has proved it too: the
 * issuer may have given the address to somebody else since. But it takes an account from somebody who typed the address
 * and never proved it: otherwise they would share the account with its owner (a pre-hijacked account).
 */
export function decideIdentity({
  identity,
  email,
  holder,
  allowsSignUp,
}: IdentityFacts): IdentityDecision {
  if (identity !== undefined) return { kind: 'sign_in', accountId: identity.accountId }
  if (email === undefined || holder === undefined) {
    return allowsSignUp ? { kind: 'sign_up', email } : { kind: 'refuse', code: 'identity_unknown' }
  }
  const { account, isVerified } = holder
  // An account whose username is the address has not typed it as its address. Its owner may well be the person.
  const isReclaimed =
    !isVerified && account.email?.key === email.key && account.disabledAt === undefined
  return isReclaimed
    ? { kind: 'reclaim', accountId: account.id, email }
    : { kind: 'refuse', code: 'identity_address_taken' }
}
