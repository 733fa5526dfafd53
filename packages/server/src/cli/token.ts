import { decodeUnverified } from '@countersign/jwt'

import { systemClock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import { KeyRing } from '../keys/ring.ts'
import { withWorkbench, type Command } from './command.ts'
import { explainToken } from './explain-token.ts'
import type { Finding } from './finding.ts'
import { ringParts } from './keys.ts'
import { formatJson, print } from './print.ts'
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
  async run({ operands: [operand] }) {
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
    print('')
    await withWorkbench({ createsData: false }, async ({ settings, store, random }) => {
      const ring = await KeyRing.read(await ringParts({ settings, store, random }))
      const findings = await explainToken(token, { settings, store, ring, clock: systemClock })
      printFindings(findings)
      if (findings.some((finding) => !finding.passed)) process.exitCode = 1
    })
  },
}

function printFindings(findings: readonly Finding[]): void {
  for (const { passed, check, text } of findings) {
    print(`${passed ? 'ok    ' : 'REFUSE'}  ${check.padEnd(10)}  ${text}`)
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
