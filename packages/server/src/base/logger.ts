import pino, { type Logger } from 'pino'

import { createErrorWriter, createLogOutput, type WriteBytes } from './log-output.ts'

/**
 * Creates the logger of an authority: JSON lines on standard error. It never blocks and never throws. It loses
 * lines that cannot be written, and counts them in the event `log_lines_lost`.
 */
export function createLogger(level: string, writeBytes: WriteBytes = createErrorWriter()): Logger {
  const logger: Logger = pino(
    { level, base: null },
    createLogOutput(writeBytes, (lines) => logger.error({ event: 'log_lines_lost', lines })),
  )
  return logger
}

/**
 * Waits until the lines of a logger are written or lost. Returns false if that takes longer than `waitMs`, for
 * example because nobody reads the pipe.
 */
export function flushLogger(logger: Logger, waitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), waitMs)
    logger.flush(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
