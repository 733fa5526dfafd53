import type Bowser from 'bowser'

/** Names the device of a User-Agent, such as "Firefox on Windows". */
export type DescribeDevice = (userAgent: string) => string

/** Loads the parser of User-Agents, which only the list of sessions needs. */
export async function loadDescribeDevice(): Promise<DescribeDevice> {
  const { default: bowser } = await import('bowser')
  return (userAgent) => describe(bowser, userAgent)
}

/** Clients can send any text in this header. */
function describe({ parse }: typeof Bowser, userAgent: string): string {
  const { browser, os, platform } = parse(userAgent === '' ? ' ' : userAgent)
  const program = nonEmpty(browser.name) ?? firstWord(userAgent)
  const system = nonEmpty(os.name) ?? (platform.type === 'bot' ? 'a bot' : undefined)
  if (program === undefined) return system ?? 'Unknown device'
  return system === undefined ? program : `${program} on ${system}`
}

// The part of `curl/8.5.0` or `my-app/1.2` before the slash.
function firstWord(userAgent: string): string | undefined {
  return /^[\w.-]{1,40}/.exec(userAgent)?.[0]
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
