import { findClosest } from './closest.ts'

/**
 * Checks that the options of a library call are an object without unknown members. Throws a `TypeError` that
 * names the first one: a misspelled option would silently have no effect.
 */
export function assertOptions(call: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`options must be an object: ${call} takes ${known.join(', ')}.`)
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const meant = findClosest(name, known)
    const advice = meant === undefined ? `It takes ${known.join(', ')}.` : `Did you mean ${meant}?`
    throw new TypeError(`${call} has no option ${JSON.stringify(name)}. ${advice}`)
  }
}
