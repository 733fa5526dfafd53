import { decodeUnverified } from '@countersign/jwt'

import { systemClock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import type { Command } from './command.ts'
import { describeTimes } from './explain-times.ts'
import type { Finding } from './finding.ts'
import { formatJson, paint, print } from './print.ts'
import { readFirstLine } from './prompt.ts'

const inspect: Command = {
  words: ['token', 'inspect'],
  summary: 'decode a token and show, check by check, why it is accepted or rejected',
  operands: [
    {
      name: 'TOKEN',
      text: 'An access or refresh token. Without it, or with `-`, the token is read from standard input.',
      optional: true,
    },
  ],
  example: 'token inspect eyJhbGciOiJFUzI1NiIs...',
  async run({ operands: [operand], withWorkbench }) {
    if (operand === undefined && process.stdin.isTTY) process.stderr.write('Token: ')
    const given = operand === undefined || operand === '-' ? await readFirstLine() : operand
    // The token may be copied from an Authorization header.
    const token = given.trim().replace(/^bearer +/i, '')
    if (token === '') throw new SetupError('No token was given.')
    const decoded = decodeUnverified(token)
    if (!decoded.ok) {
      throw new SetupError(`This cannot be read as a signed JWT: ${decoded.code}.`)
    }
    print(`Header  ${formatJson(decoded.header, 2)}`)
    print(`Claims  ${formatJson(decoded.claims, 2)}`)
    for (const line of describeTimes(decoded.claims, systemClock.nowMs())) print(line)
    print('')
    await withWorkbench(async ({ settings, store, random }) => {
      const [{ explainToken }, { ringParts }, { KeyRing }] = await Promise.all([
        import('./explain-token.ts'),
        import('./ring-parts.ts'),
        import('../keys/ring.ts'),
      ])
      const ring = await KeyRing.read(await ringParts({ settings, store, random }))
      const findings = await explainToken(token, { settings, store, ring, clock: systemClock })
      printFindings(findings)
      if (findings.some((finding) => !finding.passed)) process.exitCode = 1
    })
  },
}

function printFindings(findings: readonly Finding[]): void {
  for (const { passed, check, text } of findings) {
    const verdict = passed ? paint('green', 'ok    ') : paint('red', 'REFUSE')
    print(`${verdict}  ${check.padEnd(10)}  ${text}`)
  }
  const refused = findings.filter((finding) => !finding.passed)
  const checks = refused.map(({ check }) => check).join(', ')
  print('')
  if (refused.length === 0) {
    print('This token would be accepted.')
  } else if (refused.every(({ isKnownTo }) => isKnownTo === 'server')) {
    print(`This server refuses the token: ${checks}.`)
    print('Other services accept it until it expires.')
  } else if (refused.every(({ isKnownTo }) => isKnownTo !== undefined)) {
    print(`This server refuses the token: ${checks}.`)
    print('Guards with the revocation feed refuse it too.')
    print('Services without the revocation feed accept it until it expires.')
  } else {
    print(`This token would be refused: ${checks}.`)
  }
}

/** The commands `countersign token ...`. */
export const tokenCommands: readonly Command[] = [inspect]
