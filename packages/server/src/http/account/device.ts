import Bowser from 'bowser'

/**
 * Names the device of a User-Agent, such as "Firefox on Windows". Clients can send any text in this header.
 */
export function describeDevice(userAgent: string): string {
  const { browser, os, platform } = Bowser.parse(userAgent === '' ? ' ' : userAgent)
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
