/** Whether the suites run in their long form: `npm run test:long`. */
export const isLong = process.env['LONG_TESTS'] === '1'

/** How often a property is tried, or how long a table is: less in `npm test`, more in `npm run test:long`. */
export function sized(short: number, long: number): number {
  return isLong ? long : short
}
