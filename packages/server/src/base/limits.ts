/** Every bound of the server in one place, with its unit in its name. */
export const limits = {
  /** A request body. The largest honest one, a token of 8 KiB in a form, fits twice. */
  bodyBytesMax: 16 * 1024,
  /** Nesting of JSON in a request body; ours have one level. */
  bodyDepthMax: 10,
  /** Time for a client to send its headers, and for the whole request. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  headerBytesMax: 16 * 1024,
  /** An access token above this is refused at minting: with the cookie's name it would pass 4,096 bytes. */
  accessTokenBytesMax: 3_500,
  usernameCharsMax: 150,
  passwordBytesMax: 4_096,
  passwordCharsMin: 12,
  roleCharsMax: 64,
  rolesMax: 64,
  /** Permissions of one role. They stay here: no token carries them. */
  permissionsMax: 200,
  /** All roles of an account as JSON: with more, its access tokens could not be minted. */
  rolesBytesMax: 1_800,
  userAgentCharsMax: 256,
  /** An application's own accounts: their ids and names, how long it may take to answer, and for how many. */
  sourceIdCharsMax: 128,
  sourceUsernameCharsMax: 320,
  sourceAnswerMs: 5_000,
  sourceCallsMax: 4_096,
  /** Refreshes and log-outs that share one transaction. The rest waits for the next one. */
  refreshBatchMax: 256,
  /** Pieces of work that wait for their transaction. A refresh beyond this is answered 503. */
  refreshQueueMax: 4_096,
  /** Sessions that one sign-in ends because the account has too many: more would hold the write lock too long. */
  sessionsEndedMax: 1_000,
  /** A message of a guard. The longest are batches that it hands back, at most 8 MiB of entries. */
  feedMessageBytesMax: 16 * 1024 * 1024,
  /** A guard that says nothing for this long is gone: it asks for an echo twice a second. */
  feedSilenceMs: 30_000,
  /** How long a poll waits for news at most, and how many bytes of them it takes along. */
  feedPollMs: 25_000,
  feedPollBytesMax: 4 * 1024 * 1024,
  /** Passwords that wait for a core. At about 170 a second on two cores, three quarters of a second. */
  passwordQueueMax: 128,
  /** Requests in flight get this long to end after SIGTERM. */
  drainMs: 25_000,
  secretCharsMin: 32,
  /** The longest life of a cookie: browsers grant no more (RFC 6265bis §5.5). */
  cookieSecMax: 400 * 86_400,
  /** Sessions that are listed to their account at once. */
  sessionsListedMax: 100,
  /** Any setting that is text. Issuer and audience travel in every token. */
  settingCharsMax: 4_096,
  issuerCharsMax: 255,
} as const
