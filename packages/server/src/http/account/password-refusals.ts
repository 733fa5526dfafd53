/** The refusals of every route that sets a password. */
export const NEW_PASSWORD_REFUSALS = [
  'password_too_short',
  'password_too_long',
  'password_common',
  'password_compromised',
  'password_contains_username',
  'password_malformed',
  'password_queue_full',
] as const
