export {
  BATCH_TYP,
  type BatchClaims,
  createBatchOpener,
  type BatchOpener,
  isChain,
  type OpenedBatch,
  toWire,
  type WireBatch,
  type WireEntry,
} from './batch.ts'
export {
  chainValue,
  follows,
  isSameChain,
  isPosition,
  JUMP_POSITIONS,
  type LogHead,
  REVOCATION_KINDS,
  type RevocationEntry,
  type RevocationKind,
} from './entry.ts'
export { type FeedFaultCode, type FeedOptions, type FeedStep, RevocationFeed } from './feed.ts'
export { type EchoOutcome, Lease, type LeaseClocks } from './lease.ts'
export { type ApplyFault, RevocationLog, type RevocationView } from './log.ts'
export {
  type AuthorityMessage,
  type GuardMessage,
  isNonce,
  parseAuthorityMessage,
  parseGuardMessage,
  parseJson,
  readAuthorityMessage,
  readGuardMessage,
} from './messages.ts'
export { RetainedBatches } from './retained.ts'
export { decideStanding, type Standing, type TokenSubjects } from './rule.ts'
