/** The product as it is, or the product with one rule removed. */
export interface Variant {
  /** Issuing a token reads the position of the log after account and session. */
  readonly positionAfterState?: boolean
  /** The log entry is written some time after the change that it describes, in a separate step. */
  readonly entryLater?: boolean
  /** A lease counts from the arrival of the echo. */
  readonly leaseFromArrival?: boolean
  /** Nodes read the log from a replica that lags. */
  readonly lagging?: boolean
  /** Guards do not know which entries they have dropped. */
  readonly noFloor?: boolean
  /** The position of a login is read when its session is written. */
  readonly positionAtWrite?: boolean
  /** Guards accept without a lease. */
  readonly noLease?: boolean
}

export const variants: Readonly<Record<string, Variant>> = {
  'the position read after the state': { positionAfterState: true },
  'the entry missing from the transaction': { entryLater: true },
  'the lease counted from arrival': { leaseFromArrival: true },
  'the echo from a lagging node': { lagging: true },
  'no floor': { noFloor: true },
  'the position of a login read at the write': { positionAtWrite: true },
  'no lease': { noLease: true },
}
