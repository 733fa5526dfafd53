/**
 * A number of a JSON text, as it was written. Django REST Framework turns a number in a text field into
 * the text that Python's `str()` gives, and that is what a Django service has stored and hashed. A
 * JavaScript number loses digits beyond the 16th, and whether there was a point.
 */
export class JsonNumber {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

/** Whether Python reads the number as an `int`: it has neither a point nor an exponent. */
export function isPythonInt({ source }: JsonNumber): boolean {
  return /^-?\d+$/.test(source)
}

/**
 * The text that Python's `str()` gives: `1.0` keeps its point, `1e16` is `1e+16`, and an integer keeps all
 * its digits. Both languages write the shortest digits that give the same double. They differ in when
 * they write an exponent: Python does below 1e-4 and from 1e16 on.
 */
export function pythonText(number: JsonNumber): string {
  const { source } = number
  if (isPythonInt(number)) return source === '-0' ? '0' : source
  const value = Math.abs(Number(source))
  const sign = source.startsWith('-') ? '-' : ''
  if (value !== 0 && (value < 1e-4 || value >= 1e16)) {
    // Python writes at least two digits of the exponent.
    return sign + value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  const text = String(value)
  return sign + (text.includes('.') ? text : `${text}.0`)
}
