import pino from 'pino'
import { expect, test } from 'vitest'

import { openTestAuthority } from './support/authority.ts'

async function warnedOf(publicUrl: string, origin: string): Promise<boolean> {
  const lines: string[] = []
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
  await using _ = await openTestAuthority({
    publicUrl,
    origins: [origin],
    secret: 'a secret for tests of 32 characters',
    logger,
  })
  const warnings = lines.map((line) => JSON.parse(line) as { event: string; origin: string })
  return warnings.some(
    (warning) => warning.event === 'origin_of_another_site' && warning.origin === origin,
  )
}

test.each([
  ['https://auth.shop.test', 'https://app.shop.test'],
  ['https://shop.test', 'https://app.shop.test'],
  ['https://auth.shop.test', 'https://shop.test'],
  ['https://auth.shop.co.test', 'https://app.shop.co.test'],
  ['http://localhost:8000', 'http://localhost:3000'],
  ['http://127.0.0.1:8000', 'http://127.0.0.1:3000'],
  // Native shells send tokens, not cookies.
  ['https://auth.shop.test', 'capacitor://localhost'],
])('at %s, pages of %s get their cookies', async (publicUrl, origin) => {
  expect(await warnedOf(publicUrl, origin)).toBe(false)
})

test.each([
  ['https://auth.shop.test', 'https://shop.example'],
  ['https://auth.shop.test', 'https://shop-test.test'],
  ['http://127.0.0.1:8000', 'http://localhost:3000'],
  ['http://127.0.0.1:8000', 'http://127.0.0.2:3000'],
])('at %s, the operator is warned of %s, a page of another site', async (publicUrl, origin) => {
  expect(await warnedOf(publicUrl, origin)).toBe(true)
})
