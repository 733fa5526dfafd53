'use client'

import { SignedIn, SignedOut, useSession, useSignIn } from '@countersign/client/react'
import { useRouter } from 'next/navigation'
import { useEffect, type FormEvent } from 'react'

/** Forms for people who are not logged in, and a button for the others. */
export function Account() {
  const { client, session } = useSession()
  const { step, error, login, proceed } = useSignIn()
  const router = useRouter()
  const isDone = step?.next === 'signed-in'
  const message = step?.next === 'enrol' ? 'Set up a second factor first.' : error?.message

  useEffect(() => {
    if (isDone) router.refresh() // the server components now see the session
  }, [isDone, router])

  async function send(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    // The form has no file inputs.
    const fields = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>
    const { username = '', password = '', code = '' } = fields
    if (step?.next === 'second-factor') await proceed(() => step.totp(code))
    else await login({ username, password })
  }

  return (
    <>
      <SignedOut>
        <form onSubmit={(event) => void send(event)}>
          {step?.next === 'second-factor' ? (
            <label>
              Code of your authenticator app{' '}
              <input name="code" autoComplete="one-time-code" required />
            </label>
          ) : (
            <>
              <label>
                Username <input name="username" autoComplete="username" required />
              </label>
              <label>
                Password{' '}
                <input name="password" type="password" autoComplete="current-password" required />
              </label>
            </>
          )}
          <button>Log in</button>
          <p role="alert">{message}</p>
        </form>
      </SignedOut>
      <SignedIn>
        <p>Hello {session?.username}, says the browser.</p>
        <button onClick={() => void client.logout().then(router.refresh)}>Log out</button>
      </SignedIn>
    </>
  )
}
