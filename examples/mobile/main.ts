import { createInterface } from 'node:readline/promises'

import { ClientError, type SignInStep } from '@countersign/client'

import * as SecureStore from './secure-store.ts'
import { openClient } from './session.ts'

const { AUTHORITY = 'http://localhost:8000' } = process.env
const COMMANDS = 'Commands: login NAME PASSWORD, code CODE, devices, logout, quit'

const client = openClient(AUTHORITY, SecureStore)
client.onChange((session) =>
  console.log(session ? `Hello ${session.username}` : 'Nobody is logged in.'),
)

let step: SignInStep | undefined

async function run(command: string, [first = '', ...rest]: string[]): Promise<void> {
  if (command === 'login') {
    step = await client.login({ username: first, password: rest.join(' ') })
    if (step.next === 'second-factor') console.log('Enter the code of your authenticator app.')
    if (step.next === 'enrol') console.log('Set up a second factor in a browser first.')
  } else if (command === 'code' && step?.next === 'second-factor') step = await step.totp(first)
  else if (command === 'logout') await client.logout()
  else if (command === 'devices') await showDevices()
  else console.log(COMMANDS)
}

async function showDevices(): Promise<void> {
  const answer = await client.fetch(`${AUTHORITY}/auth/sessions`)
  if (!answer.ok) return console.log('Log in first.')
  // The authority's schema for this answer has these members.
  const { sessions } = (await answer.json()) as { sessions: { device: string; current: boolean }[] }
  for (const { device, current } of sessions)
    console.log(`${device}${current ? ' (this one)' : ''}`)
}

function explain(error: unknown): void {
  if (!(error instanceof ClientError)) throw error
  console.log(error.isTemporary ? 'The server cannot be reached. Try again later.' : error.message)
}

// After a restart, the refresh token in the storage continues the session.
await client.session().catch(explain)
console.log(COMMANDS)
const lines = createInterface({ input: process.stdin })
for await (const line of lines) {
  const [command = '', ...rest] = line.split(' ')
  if (command === 'quit') break
  await run(command, rest).catch(explain)
}
lines.close()
