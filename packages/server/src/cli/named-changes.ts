import type { ShownSecret } from '../accounts/clients.ts'
import type { Managed } from '../accounts/managed.ts'
import type { Change } from '../store/change.ts'
import type { Command, Operand } from './command.ts'
import { print } from './print.ts'
import { unwrap } from './unwrap.ts'
import type { Workbench } from './workbench.ts'

/** A command that changes one thing, which its first operand names. */
export interface NamedChange {
  readonly about: Pick<Command, 'words' | 'summary' | 'example'> & { readonly details?: string }
  readonly second?: Operand
  readonly apply: (bench: Workbench, name: string, second: string) => Promise<Managed<Change>>
  /** The ends of the sentence that the command prints. */
  readonly done: { readonly changed: string; readonly unchanged: string }
}

/** Returns the function that makes such commands. `kind` begins the sentences, as in `Service account billing: ...`. */
export function createNamedChanges(kind: string, operand: Operand): (own: NamedChange) => Command {
  return ({ about, second: secondOperand, apply, done }) => ({
    ...about,
    operands: secondOperand === undefined ? [operand] : [operand, secondOperand],
    run: ({ operands: [name = '', second = ''], withWorkbench }) =>
      withWorkbench(async (bench) => {
        const change = unwrap(await apply(bench, name, second))
        print(`${kind} ${name}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  })
}

/** Prints a new secret, which nobody can read again. */
export function printSecret({ id, secret }: ShownSecret): void {
  print(`Client secret: ${secret}`)
  print(`Store it now: the server keeps only its hash. Lists show it as ${id}.`)
}

/** The details of a command that adds a second secret. */
export const SECOND_SECRET =
  'Both secrets work. To replace a secret without an outage, add a new one, configure it, then remove the old one.'
