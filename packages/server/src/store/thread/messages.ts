import type { MessagePort } from 'node:worker_threads'

import type { EpochMs } from '../../base/clock.ts'
import { SetupError, StoreFault, messageOf } from '../../base/faults.ts'
import type { StoreEvent } from '../events.ts'

/**
 * A call of a method: `sessions.refresh` is group `sessions`, and `sso.records.find` is group `sso.records`. The group of
 * `consume` is empty. Ids grow by one.
 */
export type Call = readonly [id: number, group: string, method: string, values: readonly unknown[]]

/** The message to a thread that serves no store. The thread opens this store. */
export interface Opening {
  readonly dataDir: string
  /** All messages about the store go through this port. */
  readonly port: MessagePort
  /** The buffer of a `Gate`. */
  readonly gate: SharedArrayBuffer
  /** Whether messages with calls bring the time. Otherwise the thread reads the clock of the machine itself. */
  readonly sendsTime: boolean
}

/** A message to the thread of a store. */
export type ToThread =
  | { readonly kind: 'calls'; readonly calls: readonly Call[]; readonly nowMs: EpochMs | undefined }
  | { readonly kind: 'close' }

/** Says what kind of commits there were since the last message: see `Store.watch`. */
export interface Change {
  readonly mayHaveEntries: boolean
}

/** The answer to a call: a value or a {@link SentError}. */
export type Answer = readonly [id: number, isOk: boolean, value: unknown]

/** A message from the thread of a store. */
export type FromThread =
  /** The names of the methods of each group. */
  | { readonly kind: 'opened'; readonly methods: Readonly<Record<string, readonly string[]>> }
  | { readonly kind: 'failed'; readonly error: SentError }
  | {
      readonly kind: 'answers'
      readonly answers: readonly Answer[]
      /** Undefined if nothing was committed. */
      readonly change: Change | undefined
    }
  | { readonly kind: 'event'; readonly event: StoreEvent }
  | { readonly kind: 'closed' }

/** An error on its way between threads, which keep only the classes of JavaScript. */
export interface SentError {
  readonly name: 'StoreFault' | 'SetupError' | 'other'
  readonly message: string
  /** The thrown value, or the cause of a fault. */
  readonly cause: unknown
}

/** Prepares a thrown value for another thread. */
export function sendError(error: unknown): SentError {
  const message = messageOf(error)
  if (error instanceof StoreFault)
    return { name: 'StoreFault', message, cause: copyOf(error.cause) }
  if (error instanceof SetupError)
    return { name: 'SetupError', message, cause: copyOf(error.cause) }
  return { name: 'other', message, cause: copyOf(error) }
}

/** Returns the error that another thread has thrown. */
export function receiveError({ name, message, cause }: SentError): unknown {
  if (name === 'StoreFault') return new StoreFault(message, { cause })
  return name === 'SetupError' ? new SetupError(message, { cause }) : cause
}

/** A thrown value may hold anything, such as a function, which cannot leave its thread. */
function copyOf(value: unknown): unknown {
  try {
    return structuredClone(value)
  } catch {
    return new Error(messageOf(value))
  }
}
