/** The README has at most this many lines, so that a newcomer reads all of it. */
const README_LINES_MAX = 130

/** Returns one line with the README's length if it is too long, otherwise nothing. */
export function findTooLong(text: string): string[] {
  const lines = text.trimEnd().split('\n').length
  return lines > README_LINES_MAX
    ? [`README.md has ${lines} lines; at most ${README_LINES_MAX} are allowed`]
    : []
}
