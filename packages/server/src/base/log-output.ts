import { fstatSync, write } from 'node:fs'

import { limits } from './limits.ts'

/**
 * Passes bytes on. Calls `done` once, with an error if not all bytes were written. Never blocks and never
 * throws.
 */
export type WriteBytes = (bytes: Buffer, done: (error: Error | undefined) => void) => void

/** Where log lines go. A destination of pino. */
export interface LogOutput {
  /** Takes one line with its line feed. Returns at once. */
  write(line: string): void
  /** Calls back when every line that was taken has been written or lost. */
  flush(callback: () => void): void
}

/**
 * Creates an output that never holds up the server. One write is in progress at a time. Meanwhile at most
 * `limits.logBytesMax` wait, and further lines are lost. The lines of a write that fails are lost too, as on
 * a full disk or a closed pipe. After the next write that succeeds, `onLost` gets the number of lines that
 * were lost before it.
 */
export function createLogOutput(
  writeBytes: WriteBytes,
  onLost: (lines: number) => void,
): LogOutput {
  let waiting: string[] = []
  let waitingBytes = 0
  let lost = 0
  let isWriting = false
  let flushed: (() => void)[] = []

  function writeNext(): void {
    if (waiting.length === 0) {
      const callbacks = flushed
      flushed = []
      for (const callback of callbacks) callback()
      return
    }
    const lines = waiting
    waiting = []
    waitingBytes = 0
    isWriting = true
    writeBytes(Buffer.from(lines.join('')), (error) => {
      isWriting = false
      if (error !== undefined) lost += lines.length
      else if (lost > 0) reportLost()
      writeNext()
    })
  }

  function reportLost(): void {
    const lines = lost
    lost = 0
    // The report is a line itself. It must wait for `writeNext`, which runs after this function.
    isWriting = true
    onLost(lines)
    isWriting = false
  }

  return {
    write(line) {
      const bytes = Buffer.byteLength(line)
      if (waitingBytes + bytes > limits.logBytesMax) {
        lost += 1
        return
      }
      waiting.push(line)
      waitingBytes += bytes
      if (!isWriting) writeNext()
    },
    flush(callback) {
      flushed.push(callback)
      if (!isWriting) writeNext()
    },
  }
}

const STANDARD_ERROR = 2

/**
 * Writes to standard error. Node writes to pipes and sockets without blocking, but not to files and terminals:
 * a hung disk or a paused terminal would stop the process. Those get `fs.write`, which uses a thread.
 */
export function createErrorWriter(): WriteBytes {
  const found = fstatSync(STANDARD_ERROR)
  return found.isFIFO() || found.isSocket() ? writeToStream() : writeToFile()
}

function writeToStream(): WriteBytes {
  const { stderr } = process
  // The callback of each write gets the error. Without a listener, the event would end the process.
  stderr.on('error', () => {})
  return (bytes, done) => {
    stderr.write(bytes, (error) => done(error ?? undefined))
  }
}

const BUSY_MS = 100

function writeToFile(): WriteBytes {
  // A disk that became full may have taken a part of a line. The next line must not continue it.
  let isTorn = false
  function writeRest(bytes: Buffer, isPart: boolean, done: Parameters<WriteBytes>[1]): void {
    write(STANDARD_ERROR, bytes, (error, written) => {
      // A terminal that another process made non-blocking.
      if (error?.code === 'EAGAIN') setTimeout(() => writeRest(bytes, isPart, done), BUSY_MS)
      else if (error !== null) {
        isTorn ||= isPart
        done(error)
      } else if (written < bytes.length) writeRest(bytes.subarray(written), true, done)
      else {
        isTorn = false
        done(undefined)
      }
    })
  }
  return (bytes, done) => {
    writeRest(isTorn ? Buffer.concat([Buffer.from('\n'), bytes]) : bytes, false, done)
  }
}
