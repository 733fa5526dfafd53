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
  /** How long an idle connection stays open. Longer than load balancers keep theirs, which is 60 s on AWS. */
  keepAliveMs: 75_000,
  /** Requests that wait on one connection for the answers of earlier requests. Browsers send none in advance. */
  pipelinedMax: 64,
  /** The sockets that listen on the port, and the connections that wait at each of them to be accepted. */
  listeners: 64,
  backlogMax: 1_024,
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
  /** A message from a guard. The longest messages hand back batches, with at most 4 MiB of entries. */
  feedMessageBytesMax: 8 * 1024 * 1024,
  /** Longer messages are read in slices. */
  feedMessageShortCharsMax: 128 * 1024,
  /**
   * A guard that is silent for this long is disconnected. A working guard asks for an echo twice a second.
   */
  feedSilenceMs: 30_000,
  /** How long a poll waits for new entries, and how many bytes it returns. */
  feedPollMs: 25_000,
  feedPollBytesMax: 4 * 1024 * 1024,
  /** How long a login may wait until its password is hashed. A login that would wait longer is answered 503. */
  passwordWaitMsMax: 1_000,
  /** Logins that begin at one turn of the event loop. Each takes about 0.2 ms before its hash. */
  hashesBegunPerTurn: 16,
  /** How long a login may wait until it begins. */
  hashesBegunWaitMsMax: 400,
  /** Passwords that an application may be verifying at once. */
  passwordQueueMax: 128,
  /** One look-up of a breached password, and the pause after one that failed. */
  breachedAnswerMs: 1_000,
  breachedPauseMs: 10_000,
  /** The answer to a look-up. The public service sends about 40 KB. */
  breachedAnswerBytesMax: 256 * 1024,
  /** Look-ups that run at once. A new password beyond this number is answered 503. */
  breachedLookUpsMax: 64,
  /** Log lines that wait for standard error. Further lines are lost. */
  logBytesMax: 1024 * 1024,
  /** How long the end of the server waits for a reader of the log. */
  logFlushMs: 1_000,
  /** How long clients may use their open connections after SIGTERM. */
  leaveMs: 1_000,
  /** How long requests in flight may take after that. */
  drainMs: 25_000,
  /** Sessions and audit lines in the export of an account. */
  auditExportedMax: 10_000,
  /** Wrong codes from one mail. The next attempt needs a new mail. */
  codeAttemptsMax: 5,
  /** How long a person has for the second factor of a sign-in, and for the answer to a challenge. */
  ticketLifeMs: 10 * 60_000,
  challengeLifeMs: 5 * 60_000,
  /** Passkeys of one account. */
  passkeysMax: 20,
  /** Recovery codes that are made at once. */
  recoveryCodes: 10,
  /** The name of a factor. */
  factorNameCharsMax: 64,
  /** A remembered device is asked again after this time at the latest. */
  rememberDaysMax: 30,
  /** How long a mailed code and its link work. */
  codeLifeMs: 15 * 60_000,
  /** How long an invitation to a tenant can be accepted after its last mail. */
  invitationLifeMs: 7 * 86_400_000,
  /** Members or invitations that one answer lists. */
  membersListedMax: 1_000,
  /** The shortest time of an answer that must not reveal whether an account exists. */
  mailAnswerMs: 100,
  secretCharsMin: 32,
  /** The longest life of a cookie that browsers accept (RFC 6265bis §5.5). */
  cookieSecMax: 400 * 86_400,
  /** Sessions that an account sees when it lists its own sessions. */
  sessionsListedMax: 100,
  /** A setting that is text. Issuer and audience are shorter, because every token carries them. */
  settingCharsMax: 4_096,
  issuerCharsMax: 255,
  /** A request to a URL that an application has chosen: the time for its answer, and the size. */
  outboundAnswerMs: 5_000,
  outboundAnswerBytesMax: 64 * 1024,
  /** The URIs of one kind that an application may register, and the length of each. */
  redirectUrisMax: 20,
  redirectUriCharsMax: 2_048,
} as const
