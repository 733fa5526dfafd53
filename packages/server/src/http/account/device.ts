import Bowser from 'bowser'

/** A device in words, out of a User-Agent that anybody may have written: "Firefox on Windows". */
export function describeDevice(userAgent: string): string {
  const { browser, os, platform } = Bowser.parse(userAgent === '' ? ' ' : userAgent)
  const program = nonEmpty(browser.name) ?? firstWord(userAgent)
  const system = nonEmpty(os.name) ?? (platform.type === 'bot' ? 'a bot' : undefined)
  if (program === undefined) return system ?? 'Unknown device'
  return system === undefined ? program : `${program} on ${system}`
}

// Of `curl/8.5.0` or `my-app/1.2`, what stands before the slash.
function firstWord(userAgent: string): string | undefined {
  return /^[\w.-]{1,40}/.exec(userAgent)?.[0]
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
