import { formatSpan } from './print.ts'

/** A progress bar on one line of a terminal. */
export interface ProgressBar {
  /** Shows which part is done, from 0 to 1, and a text beside it. */
  show(part: number, text?: string): void
  /** Removes the bar, so that the next output begins on an empty line. */
  clear(): void
}

const CELLS = 30

/** Creates a progress bar. Shows nothing if the stream is not a terminal: a log would keep every step. */
export function createProgressBar(stream: NodeJS.WriteStream): ProgressBar {
  let shown = ''
  const draw = (text: string): void => {
    if (!stream.isTTY || text === shown) return
    shown = text
    stream.write(`\r\u001b[K${text}`)
  }
  return {
    show(whole, text = '') {
      const part = Math.min(whole, 1)
      const filled = Math.round(part * CELLS)
      const percent = String(Math.floor(part * 100)).padStart(3)
      const cells = `[${'#'.repeat(filled)}${' '.repeat(CELLS - filled)}] ${percent} %`
      draw(`${cells}  ${text}`.trimEnd())
    },
    clear: () => draw(''),
  }
}

/**
 * Formats how fast work goes and how long the rest takes: `12,345 rows/s, 2 min 5 s left`. `done` counts from the
 * beginning of this run. Empty in the first half second, when it would be a guess.
 */
export function formatRate(
  { done, left, unit }: { readonly done: number; readonly left: number; readonly unit: string },
  elapsedMs: number,
): string {
  if (elapsedMs < 500 || done === 0) return ''
  const perSec = (done * 1_000) / elapsedMs
  const rate = Math.round(perSec).toLocaleString('en')
  return `${rate} ${unit}/s, ${formatSpan(Math.ceil(left / perSec))} left`
}
