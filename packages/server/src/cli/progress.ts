/** A progress bar on one line of a terminal. */
export interface ProgressBar {
  /** Shows which part is done, from 0 to 1. */
  show(part: number): void
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
    show(part) {
      const filled = Math.round(part * CELLS)
      const percent = String(Math.floor(part * 100)).padStart(3)
      draw(`[${'#'.repeat(filled)}${' '.repeat(CELLS - filled)}] ${percent} %`)
    },
    clear: () => draw(''),
  }
}
