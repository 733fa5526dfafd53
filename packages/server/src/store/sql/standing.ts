/**
 * The SQL expression for whether session `s` stands. It decides the same as `whyOver` in
 * `store/standing.ts`, and a property test compares the two. A session stands unless
 *
 * - it was ended, or the refresh key of its newest token was killed;
 * - its account is disabled, or all its sessions were revoked at a position that this session has not
 *   survived;
 * - its tenant is disabled or deleted, or all its sessions were revoked since this sign-in.
 *
 * Expiry is not part of it, because a row that lost its last write may lag behind its token. {@link
 * SESSION_LIVES} includes expiry.
 *
 * The query must name the table of sessions `s`.
 */
export const SESSION_STANDS = `(
  s.ended_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM keys k WHERE k.kid = s.refresh_kid AND k.state = 'revoked')
  AND EXISTS (SELECT 1 FROM accounts o WHERE o.id = s.account_id AND o.disabled_at IS NULL
              AND (o.hard_position <= s.signed_in_position OR o.hard_position <= s.survived_position))
  AND (s.tenant_id IS NULL
       OR EXISTS (SELECT 1 FROM tenants w WHERE w.id = s.tenant_id AND w.disabled_at IS NULL
                  AND w.hard_position <= s.signed_in_position)))`

/**
 * Whether session `s` stands and its refresh token has not expired. It has one parameter: the current time.
 */
export const SESSION_LIVES = `(s.expires_at > ? AND ${SESSION_STANDS})`
