import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { loadDescribeDevice } from '../src/accounts/device.ts'

const describeDevice = await loadDescribeDevice()

test.each([
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Chrome on Windows',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
    'Safari on iOS',
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0',
    'Firefox on macOS',
  ],
  ['curl/8.5.0', 'curl'],
  ['my-app/1.2 (build 7)', 'my-app'],
  ['', 'Unknown device'],
  ['<script>alert(1)</script>', 'Unknown device'],
])('%s', (userAgent, device) => {
  expect(describeDevice(userAgent)).toBe(device)
})

test('any User-Agent becomes a short text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 256 }), (userAgent) => {
      expect(describeDevice(userAgent).length).toBeLessThan(100)
    }),
  )
})
