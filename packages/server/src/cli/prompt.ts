import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

import { SetupError } from '../base/faults.ts'

/**
 * A new password: asked for twice without echo at a terminal, else the first line of standard input.
 * Never an argument, where other users and the shell's history would see it.
 */
export async function readNewPassword(): Promise<string> {
  if (!process.stdin.isTTY) return readFirstLine()
  const password = await ask('Password: ')
  const again = await ask('Once more: ')
  if (password !== again) throw new SetupError('The two passwords differ. Nothing was changed.')
  return password
}

/** Asks for a word that nobody types by mistake. Throws a `SetupError` where it is another, or nobody is there. */
export async function confirm(question: string, word: string): Promise<void> {
  if (!process.stdin.isTTY) throw new SetupError('Say --yes where nobody can be asked.')
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await new Promise<string>((resolve) => {
    lines.once('close', () => resolve(''))
    lines.question(`${question} Type ${word}: `, resolve)
  })
  lines.close()
  if (answer.trim() !== word) throw new SetupError('Nothing was changed.')
}

function ask(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  // Not before the terminal has stopped to echo: who types at once would see it.
  process.stderr.write(question)
  return new Promise((resolve, reject) => {
    lines.on('SIGINT', () => lines.close())
    lines.once('close', () => reject(new SetupError('Nothing was changed.')))
    lines.question('', (answer) => {
      lines.removeAllListeners('close')
      lines.close()
      process.stderr.write('\n')
      resolve(answer)
    })
  })
}

/** The first line of standard input, without its end. */
export async function readFirstLine(): Promise<string> {
  process.stdin.setEncoding('utf8')
  let text = ''
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return (text.split('\n')[0] ?? '').replace(/\r$/, '')
}
