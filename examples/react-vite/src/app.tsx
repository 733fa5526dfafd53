import { ClientError } from '@countersign/client'
import { Authorized, SignedIn, SignedOut, useSession } from '@countersign/client/react'
import { useState, type FormEvent, type ReactNode } from 'react'

/** The whole page: a form for people who are not logged in, and the devices of those who are. */
export function App(): ReactNode {
  const { status, error } = useSession()
  return (
    <main>
      <h1>React with Countersign</h1>
      {status === 'loading' && <p>{error ? 'The server cannot be reached.' : 'One moment.'}</p>}
      <SignedOut>
        <LoginForm />
      </SignedOut>
      <SignedIn>
        <Account />
      </SignedIn>
    </main>
  )
}

function LoginForm(): ReactNode {
  const { client } = useSession()
  const [problem, setProblem] = useState('')

  async function logIn(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    const { username, password } = Object.fromEntries(new FormData(event.currentTarget))
    try {
      await client.login({ username: username as string, password: password as string })
    } catch (error) {
      setProblem(error instanceof ClientError ? error.message : String(error))
    }
  }

  return (
    <form onSubmit={(event) => void logIn(event)}>
      <label>
        Username <input name="username" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button>Log in</button>
      <p role="alert">{problem}</p>
    </form>
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
