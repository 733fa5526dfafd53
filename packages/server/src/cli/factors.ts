import type { FactorData } from '../accounts/export.ts'
import type { FactorReset } from '../store/factors.ts'
import { closest } from './closest.ts'
import { JSON_FLAG, type Command, type Operand } from './command.ts'
import { print, printRows } from './print.ts'
import { confirm } from './prompt.ts'
import { unwrap } from './unwrap.ts'
import { UsageError } from './usage-error.ts'

const NAME: Operand = {
  name: 'NAME',
  text: 'The username of the account, or its id. With your own users: the id.',
}

const list: Command = {
  words: ['accounts', 'factors', 'list'],
  summary: 'list the second factors of an account',
  details:
    'Also lists how many recovery codes are left, and the browsers that are not asked for a second factor.',
  operands: [NAME],
  flags: JSON_FLAG,
  example: 'accounts factors list alice',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ factors }) => {
      const empty = `Account ${name} has no second factors.`
      printRows(toRows(unwrap(await factors.list(name))), { json: options['json'] === true, empty })
    }),
}

/** A row of the list. All rows have the same members, so that the table has the same columns. */
interface FactorRow extends Record<string, string | number | Date | null | undefined> {
  readonly kind: string
  readonly name: string
  readonly id: string | undefined
  readonly created: Date | undefined
  /** Null: never. */
  readonly last_used: Date | null | undefined
  /** How many recovery codes are left. */
  readonly left: number | undefined
  /** Until when a browser is remembered. */
  readonly expires: Date | undefined
}

function toRows({ factors, recoveryCodesLeft, devices }: FactorData): readonly FactorRow[] {
  // The columns are in this order.
  const none = {
    kind: '',
    name: '',
    id: undefined,
    created: undefined,
    last_used: undefined,
    left: undefined,
    expires: undefined,
  }
  return [
    ...factors.map(({ kind, name, id, createdAt, lastUsedAt }) => ({
      ...none,
      kind,
      name,
      id,
      created: new Date(createdAt),
      last_used: lastUsedAt === undefined ? null : new Date(lastUsedAt),
    })),
    ...(recoveryCodesLeft === 0
      ? []
      : [{ ...none, kind: 'recovery-codes', left: recoveryCodesLeft }]),
    ...devices.map(({ userAgent, createdAt, expiresAt }) => ({
      ...none,
      kind: 'remembered-device',
      name: userAgent,
      created: new Date(createdAt),
      expires: new Date(expiresAt),
    })),
  ]
}

/** The values of `--only`, what they remove, and how the command names it. */
const ONLY: Readonly<Record<string, readonly [what: FactorReset, words: string]>> = {
  totp: ['totp', 'the authenticator app'],
  passkeys: ['passkey', 'all passkeys'],
  'recovery-codes': ['recovery_codes', 'all recovery codes'],
}

const reset: Command = {
  words: ['accounts', 'factors', 'reset'],
  summary: 'remove the second factors of an account whose owner has lost them',
  details:
    'First make sure that you talk to the owner: afterwards the password alone logs in. All sessions of the account end, its remembered devices are forgotten, and a factor that was locked by wrong codes is unlocked. The owner gets a mail, if the account has a verified address. The recovery codes go with the last factor. If the settings require a second factor, the owner must set one up again within the grace. The command first asks you to type the name.',
  operands: [NAME],
  flags: {
    only: {
      type: 'string',
      value: 'KIND',
      text: 'Remove only these: `totp`, `passkeys` or `recovery-codes`. Without it, the command removes everything.',
    },
    yes: { type: 'boolean', text: 'Remove without asking. Needed outside a terminal.' },
  },
  example: 'accounts factors reset alice --yes',
  run: ({ operands: [name = ''], options, withWorkbench }) => {
    const [what, words] = readOnly(options['only'])
    return withWorkbench(async ({ factors, actor }) => {
      // An unknown name is reported before the question.
      unwrap(await factors.list(name))
      if (options['yes'] !== true) {
        await confirm(`Remove ${words} of ${name}, and end all its sessions?`, name)
      }
      const change = unwrap(await factors.reset(name, { what }, actor))
      print(
        change === 'changed'
          ? `Account ${name}: removed ${words}, and its sessions have ended.`
          : `Account ${name}: there was nothing to remove, and no factor was locked.`,
      )
    })
  },
}

function readOnly(value: unknown): readonly [what: FactorReset, words: string] {
  if (typeof value !== 'string') return ['all', 'all second factors']
  const known = Object.hasOwn(ONLY, value) ? ONLY[value] : undefined
  if (known !== undefined) return known
  const meant = closest(value, Object.keys(ONLY))
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`
  throw new UsageError(`--only takes ${Object.keys(ONLY).join(', ')}.${hint}`, reset.words)
}

/** The commands `countersign accounts factors ...`. */
export const factorCommands: readonly Command[] = [list, reset]
