/**
 * A number in a JSON text, with its spelling. Django REST Framework converts a number in a text field with
 * Python's `str()`, and a Django service has stored and hashed that text. A JavaScript number loses digits
 * after the 16th, and loses whether the text had a decimal point.
 */
export class JsonNumber {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

/** Whether Python reads the number as an `int`: it has neither a decimal point nor an exponent. */
export function isPythonInt({ source }: JsonNumber): boolean {
  return /^-?\d+$/.test(source)
}

/**
 * Returns the text that Python's `str()` returns: `1.0` keeps its decimal point, `1e16` is `1e+16`, and an
 * integer keeps all its digits. Both languages write the shortest digits that identify the double. Python
 * writes an exponent below 1e-4 and from 1e16 on; JavaScript has other limits.
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
