/** Every limit of the server. Each name ends in its unit. */
export const limits = {
  /** A request body. Twice the largest legitimate body, which is a token of 8 KiB in a form. */
  bodyBytesMax: 16 * 1024,
  /** Nesting of JSON in a request body. Valid requests have one level. */
  bodyDepthMax: 10,
  /** How long a client may take to send its headers, and the whole request. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  headerBytesMax: 16 * 1024,
  /**
   * Longer access tokens are not minted. With the cookie's name, they would exceed the 4,096 bytes that
   * browsers keep.
   */
  accessTokenBytesMax: 3_500,
  usernameCharsMax: 150,
  passwordBytesMax: 4_096,
  passwordCharsMin: 12,
  roleCharsMax: 64,
  rolesMax: 64,
  /** Permissions of one role. No token carries them. */
  permissionsMax: 200,
  /** All roles of an account as JSON. With more, its access tokens could exceed `accessTokenBytesMax`. */
  rolesBytesMax: 1_800,
  userAgentCharsMax: 256,
  /**
   * The accounts of an application: the length of ids and names, the time for one answer, and the number of
   * waiting calls.
   */
  sourceIdCharsMax: 128,
  sourceUsernameCharsMax: 320,
  sourceAnswerMs: 5_000,
  sourceCallsMax: 4_096,
  /** Refreshes and logouts that share one transaction. Others wait for the next transaction. */
  refreshBatchMax: 256,
  /** Pieces of work that may wait for their transaction. A refresh beyond this number is answered 503. */
  refreshQueueMax: 4_096,
  /** Calls that may wait for the database. More are answered 503. */
  storeCallsMax: 8_192,
  /**
   * Sessions that one sign-in ends because the account has too many. More would hold the write lock for too
   * long.
   */
  sessionsEndedMax: 1_000,
  /** A message from a guard. The longest messages hand back batches, with at most 8 MiB of entries. */
  feedMessageBytesMax: 16 * 1024 * 1024,
  /**
   * A guard that is silent for this long is disconnected. A working guard asks for an echo twice a second.
   */
  feedSilenceMs: 30_000,
  /** How long a poll waits for new entries, and how many bytes it returns. */
  feedPollMs: 25_000,
  feedPollBytesMax: 4 * 1024 * 1024,
  /**
   * Passwords that wait to be hashed. Two cores hash about 170 a second, so the last one waits 0.75 seconds.
   */
  passwordQueueMax: 128,
  /** How long requests in flight may take after SIGTERM. */
  drainMs: 25_000,
  secretCharsMin: 32,
  /** The longest life of a cookie that browsers accept (RFC 6265bis §5.5). */
  cookieSecMax: 400 * 86_400,
  /** Sessions that an account sees when it lists its own sessions. */
  sessionsListedMax: 100,
  /** A setting that is text. Issuer and audience are shorter, because every token carries them. */
  settingCharsMax: 4_096,
  issuerCharsMax: 255,
} as const
