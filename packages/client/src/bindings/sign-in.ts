import { ClientError } from '../error.ts'
import type { PasskeyLoginOptions, SignInStep } from '../factors/types.ts'
import type { Client, Credentials } from '../types.ts'

/** Where a login is. */
export interface SignInState {
  /** The step that the person is at. Undefined: the username and password. */
  readonly step: SignInStep | undefined
  /** Why the last attempt failed. Undefined while one runs, and after a person has cancelled the dialog of a passkey. */
  readonly error: ClientError | undefined
  /** Whether an attempt runs. */
  readonly isBusy: boolean
}

/** The functions of a login. They never reject: the state has the error. */
export interface SignInActions {
  readonly login: (credentials: Credentials) => Promise<void>
  readonly loginWithPasskey: (options?: PasskeyLoginOptions) => Promise<void>
  /** Continues with what a step returns: `proceed(() => step.totp(code))`. */
  readonly proceed: (next: () => Promise<SignInStep>) => Promise<void>
  /** Begins again with the username and password. */
  readonly restart: () => void
}

/** The state before anything was entered. */
export const FIRST_STATE: SignInState = { step: undefined, error: undefined, isBusy: false }

/** Runs a login, and calls `set` with each new state. */
export function createSignIn(
  client: Pick<Client, 'login' | 'loginWithPasskey' | 'onChange'>,
  set: (state: SignInState) => void,
): SignInActions {
  let step: SignInStep | undefined
  // An autofill that waits for hours must not overwrite what the person has done meanwhile.
  let latest = 0

  async function run(next: () => Promise<SignInStep>, isQuiet = false): Promise<void> {
    latest += 1
    const own = latest
    if (!isQuiet) set({ step, error: undefined, isBusy: true })
    try {
      const reached = await next()
      if (own !== latest) return
      step = reached
      set({ step, error: undefined, isBusy: false })
      if (step.next === 'signed-in') restartAfterLogout()
    } catch (error) {
      if (own !== latest) return
      const known =
        error instanceof ClientError ? error : new ClientError('failed', { cause: error })
      // The ticket of the login has expired.
      if (known.code === 'ticket_void') step = undefined
      const isCancelled = known.code === 'passkey_cancelled'
      set({ step, error: isCancelled ? undefined : known, isBusy: false })
    }
  }

  function restart(): void {
    latest += 1
    step = undefined
    set(FIRST_STATE)
  }

  function restartAfterLogout(): void {
    const unlisten = client.onChange((session) => {
      if (session !== null) return
      unlisten()
      restart()
    })
  }

  return {
    login: (credentials) => run(() => client.login(credentials)),
    loginWithPasskey: (options) =>
      run(() => client.loginWithPasskey(options), options?.autofill === true),
    proceed: (next) => run(next),
    restart,
  }
}
