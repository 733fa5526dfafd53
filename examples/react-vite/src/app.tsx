import type { EnrolStep, NewTotp, SecondFactorStep, SignInStep } from '@countersign/client'
import { Authorized, SignedIn, SignedOut, useSession, useSignIn } from '@countersign/client/react'
import { useState, type FormEvent, type ReactNode } from 'react'

type SignIn = ReturnType<typeof useSignIn>

/** The whole page: the steps of a login for people who are not logged in, and the devices of those who are. */
export function App(): ReactNode {
  const { status, error } = useSession()
  const signIn = useSignIn()
  const { step } = signIn
  return (
    <main>
      <h1>React with Countersign</h1>
      {status === 'loading' && <p>{error ? 'The server cannot be reached.' : 'One moment.'}</p>}
      <SignedOut>
        {step === undefined && <LoginForm signIn={signIn} />}
        {step?.next === 'second-factor' && <FactorForm signIn={signIn} step={step} />}
        {step?.next === 'enrol' && <EnrolForm signIn={signIn} step={step} />}
        <p role="alert">{signIn.error?.message}</p>
      </SignedOut>
      <SignedIn>
        {step?.next === 'signed-in' && step.recoveryCodes.length > 0 && (
          <p>Keep these recovery codes: {step.recoveryCodes.join(', ')}</p>
        )}
        <Account />
      </SignedIn>
    </main>
  )
}

/** Calls `send` with the fields of a form, as text. */
function onSubmit(send: (fields: Record<string, string>) => Promise<void>) {
  return (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    // The forms of this page have no file inputs.
    void send(Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>)
  }
}

function LoginForm({ signIn }: { readonly signIn: SignIn }): ReactNode {
  return (
    <form
      onSubmit={onSubmit(({ username = '', password = '' }) =>
        signIn.login({ username, password }),
      )}
    >
      <label>
        Username <input name="username" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button>Log in</button>
      <button type="button" onClick={() => void signIn.loginWithPasskey()}>
        Use a passkey
      </button>
    </form>
  )
}

function CodeForm({ send }: { readonly send: (code: string) => Promise<void> }): ReactNode {
  return (
    <form onSubmit={onSubmit(({ code = '' }) => send(code))}>
      <label>
        Code <input name="code" autoComplete="one-time-code" required />
      </label>
      <button>Continue</button>
    </form>
  )
}

function FactorForm(props: {
  readonly signIn: SignIn
  readonly step: SecondFactorStep
}): ReactNode {
  const { signIn, step } = props
  const [isRecovery, setRecovery] = useState(!step.methods.includes('totp'))
  const send = isRecovery ? step.recoveryCode : step.totp
  return (
    <>
      <p>{isRecovery ? 'Enter a recovery code.' : 'Enter the code of your authenticator app.'}</p>
      <CodeForm send={(code) => signIn.proceed(() => send(code))} />
      {step.methods.includes('passkey') && (
        <button onClick={() => void signIn.proceed(() => step.passkey())}>Use a passkey</button>
      )}
      {!isRecovery && <button onClick={() => setRecovery(true)}>Use a recovery code</button>}
      <button onClick={signIn.restart}>Start again</button>
    </>
  )
}

function EnrolForm({ signIn, step }: { readonly signIn: SignIn; readonly step: EnrolStep }) {
  const [app, setApp] = useState<NewTotp<SignInStep>>()
  if (app === undefined) {
    return (
      <>
        <p>Your account needs a second factor.</p>
        <button onClick={() => void step.beginTotp().then(setApp)}>Set up an app</button>
        <button onClick={() => void signIn.proceed(() => step.passkey())}>Set up a passkey</button>
      </>
    )
  }
  return (
    <>
      <p>Scan this with your authenticator app, or enter {app.secret}</p>
      <img alt="" width="200" src={`data:image/svg+xml,${encodeURIComponent(app.qr)}`} />
      <CodeForm send={(code) => signIn.proceed(() => app.submit(code))} />
    </>
  )
}

interface Device {
  readonly id: string
  readonly device: string
  readonly current: boolean
}

function Account(): ReactNode {
  const { client, session } = useSession()
  const [devices, setDevices] = useState<readonly Device[]>([])

  async function showDevices(): Promise<void> {
    const answer = await client.fetch('/auth/sessions')
    if (!answer.ok) return
    const { sessions } = (await answer.json()) as { sessions: Device[] }
    setDevices(sessions)
  }

  return (
    <>
      <p>
        Hello <b>{session?.username}</b>
      </p>
      <Authorized roles={['admin']} fallback={<p>You are not an administrator.</p>}>
        <p>You are an administrator.</p>
      </Authorized>
      <button onClick={() => void showDevices()}>Show my devices</button>
      <button onClick={() => void client.logout()}>Log out</button>
      <ul>
        {devices.map(({ id, device, current }) => (
          <li key={id}>
            {device} {current && '(this one)'}
          </li>
        ))}
      </ul>
    </>
  )
}
