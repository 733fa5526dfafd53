/** Whether the suites run in their long form: `npm run test:long`. */
export const isLong = process.env['LONG_TESTS'] === '1'

/** The size of a test: `short` in `npm test`, `long` in `npm run test:long`. */
export function sized(short: number, long: number): number {
  return isLong ? long : short
}
