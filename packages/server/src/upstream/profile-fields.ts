/** The provider answered, but not who the person is. */
export class ProfileUnreadable extends Error {
  override readonly name = 'ProfileUnreadable'
}

const TEXT_CHARS_MAX = 255

/** A member of an answer that is a text with 1 to 255 characters. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= TEXT_CHARS_MAX
    ? value
    : undefined
}

/** The id of a person: a text, or a whole number, as GitHub sends it. Throws if there is none. */
export function subjectOf(value: unknown): string {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  const subject = textOf(text)
  if (subject === undefined) throw new ProfileUnreadable('The answer has no id of the person.')
  return subject
}

/** The members of a JSON object. Throws for anything else. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>> // Checked above.
  }
  throw new ProfileUnreadable('The answer is not an object.')
}

/** The texts of a list. A single text counts as a list of one. */
export function textsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.filter((each): each is string => textOf(each) !== undefined)
}
