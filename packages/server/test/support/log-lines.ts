import pino, { type Logger } from 'pino'

/** Makes a logger that adds its lines, by default only warnings and errors, to a list, as objects. */
export function logTo(lines: Record<string, unknown>[], level = 'warn'): Logger {
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as Record<string, unknown>)
  }
  return pino({ level }, { write })
}
