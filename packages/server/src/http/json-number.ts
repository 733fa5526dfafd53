/**
 * A number of a JSON text as it was written. A JavaScript number would lose what makes it a password
 * or a name: digits beyond the 16th, and whether there was a point.
 */
export class JsonNumber {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

/** Whether Python reads it as an `int`: without point and exponent. */
export function isPythonInt({ source }: JsonNumber): boolean {
  return /^-?\d+$/.test(source)
}

/**
 * The text that Python's `str()` gives for it, since that is what a Django service has stored and
 * hashed: `1.0` keeps its point, `1e16` is `1e+16`, an integer keeps all its digits.
 */
export function pythonText(number: JsonNumber): string {
  const { source } = number
  if (isPythonInt(number)) return source === '-0' ? '0' : source
  const sign = source.startsWith('-') ? '-' : ''
  // The shortest digits that give the same double again, here as in Python.
  const [mantissa = '', exponentText = ''] = Math.abs(Number(source)).toExponential().split('e')
  const exponent = Number(exponentText)
  return (
    sign +
    (isFixed(exponent) ? toFixedText(mantissa, exponent) : toExponentText(mantissa, exponent))
  )
}

/** Python's `repr` writes an exponent below 1e-4 and from 1e16 on. */
function isFixed(exponent: number): boolean {
  return exponent >= -4 && exponent < 16
}

function toFixedText(mantissa: string, exponent: number): string {
  const digits = mantissa.replace('.', '')
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${whole}.${digits.slice(exponent + 1) || '0'}`
}

function toExponentText(mantissa: string, exponent: number): string {
  const sign = exponent < 0 ? '-' : '+'
  return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}
