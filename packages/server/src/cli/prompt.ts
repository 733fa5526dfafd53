import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

import { SetupError } from '../base/faults.ts'
import { stripByteOrderMark } from '../base/text-file.ts'

/**
 * Reads a new password: at a terminal twice and without echo, otherwise from the first line of standard
 * input. It is never an argument, because other users and the shell history would see it. Throws a
 * `SetupError` if the two inputs differ or the user presses Ctrl-C.
 */
export async function readNewPassword(): Promise<string> {
  if (!process.stdin.isTTY) return readFirstLine()
  const password = await ask('Password: ')
  const again = await ask('Repeat it: ')
  if (password !== again) throw new SetupError('The two passwords differ. Nothing was changed.')
  return password
}

/**
 * Asks the user to type a word, so that nobody confirms by mistake. Throws a `SetupError` if the answer
 * differs or standard input is not a terminal.
 */
export async function confirm(question: string, word: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new SetupError(
      'This command asks for confirmation, but standard input is not a terminal. Add --yes to run it without asking.',
    )
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await new Promise<string>((resolve) => {
    lines.once('close', () => resolve(''))
    lines.question(`${question} Type ${word}: `, resolve)
  })
  lines.close()
  if (answer.trim() !== word) throw new SetupError('The answer differs. Nothing was changed.')
}

function ask(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  // Echo must stop before the question appears. Otherwise the password of a user who types at once would be
  // visible.
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

/** Reads the first line of standard input, without its line break and a byte order mark, which PowerShell writes. */
export async function readFirstLine(): Promise<string> {
  process.stdin.setEncoding('utf8')
  let text = ''
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return stripByteOrderMark(text.split('\n')[0] ?? '').replace(/\r$/, '')
}
