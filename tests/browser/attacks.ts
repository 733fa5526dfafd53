import type { Page } from 'playwright-core'

/** An endpoint that changes something, and the request an attacker would send. */
export interface Target {
  readonly method: 'POST' | 'DELETE'
  readonly url: string
  readonly fields: Readonly<Record<string, string>>
}

/** One way for a page to make a browser send a request. The names are those of pages/hostile.js. */
export interface Attack {
  readonly name: string
  readonly by: 'fetch' | 'beacon' | 'frame' | 'sandbox' | 'image' | 'top'
  readonly with: object
  /** Whether browsers send it to a server without CORS for the page, for each method. */
  readonly arrives: Readonly<Record<Target['method'], boolean>>
}

const both = { POST: true, DELETE: true }
const neither = { POST: false, DELETE: false }
// DELETE is not a simple method: with cors a preflight is sent first, with no-cors it fails at once.
const postOnly = { POST: true, DELETE: false }

/** Returns all ways to attack a target. */
export function attacksOn({ method, fields }: Target): readonly Attack[] {
  const json = JSON.stringify(fields)
  const text = { 'Content-Type': 'text/plain' }
  const guess = { 'Content-Type': 'application/json', 'X-CSRF-Token': 'a-guess' }
  const override = { ...fields, _method: method }
  const fetches = [
    ['JSON', { method, mode: 'cors', headers: guess, body: json }, neither],
    ['text', { method, mode: 'cors', headers: text, body: json }, postOnly],
    ['a form', { method, mode: 'cors', form: fields }, postOnly],
    ['text without CORS', { method, mode: 'no-cors', headers: text, body: json }, postOnly],
    ['a form without CORS', { method, mode: 'no-cors', form: fields }, postOnly],
  ] as const
  const forms = ['form', 'text', 'multipart'] as const
  return [
    ...fetches.map(([name, options, arrives]) => ({
      name: `fetch of ${name}`,
      by: 'fetch' as const,
      with: options,
      arrives,
    })),
    { name: 'a beacon', by: 'beacon', with: { body: json }, arrives: both },
    ...(['frame', 'top'] as const).flatMap((by) =>
      forms.map((type) => ({
        name: `a form (${type}) in ${by === 'frame' ? 'a frame' : 'the whole window'}`,
        by,
        with: { fields: override, type },
        arrives: both,
      })),
    ),
    { name: 'a sandboxed form', by: 'sandbox', with: { fields }, arrives: both },
    { name: 'an image', by: 'image', with: {}, arrives: both },
  ]
}

/**
 * Makes a page of `hostile` attack, and returns what the page could read. The attack may navigate the page.
 */
export async function attack(
  page: Page,
  hostile: string,
  url: string,
  { by, with: options }: Pick<Attack, 'by' | 'with'>,
): Promise<string> {
  const given = JSON.stringify({ by, url, ...options })
  if (by !== 'top') return page.evaluate(`attack(${given})`)
  const answered = page.waitForResponse(
    (answer) => answer.url() === url && answer.request().isNavigationRequest(),
  )
  await page.evaluate(`void attack(${given})`)
  await (await answered).finished()
  await page.waitForLoadState()
  await page.goto(hostile)
  return 'navigated'
}

/** Makes a page attempt to read the answer to a GET. */
export function spy(page: Page, url: string): Promise<string[]> {
  const attempts = [
    { by: 'fetch', method: 'GET', mode: 'cors', url },
    { by: 'fetch', method: 'GET', mode: 'no-cors', url },
    { by: 'script', url },
    { by: 'image', url },
    { by: 'read', url },
  ]
  return page.evaluate(`Promise.all(${JSON.stringify(attempts)}.map((attempt) => attack(attempt)))`)
}
