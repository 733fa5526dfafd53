'use client'

import { ClientError } from '@countersign/client'
import { SignedIn, SignedOut, useSession } from '@countersign/client/react'
import { useRouter } from 'next/navigation'
import { useState, type FormEvent } from 'react'

/** A form for people who are not logged in, and a button for the others. */
export function Account() {
  const { client, session } = useSession()
  const [problem, setProblem] = useState('')
  const router = useRouter()

  async function logIn(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    const { username, password } = Object.fromEntries(new FormData(event.currentTarget))
    try {
      await client.login({ username: username as string, password: password as string })
      router.refresh() // the server components now see the session
    } catch (error) {
      setProblem(error instanceof ClientError ? error.message : String(error))
    }
  }

  async function logOut(): Promise<void> {
    await client.logout()
    router.refresh()
  }

  return (
    <>
      <SignedOut>
        <form onSubmit={(event) => void logIn(event)}>
          <label>
            Username <input name="username" autoComplete="username" required />
          </label>
          <label>
            Password{' '}
            <input name="password" type="password" autoComplete="current-password" required />
          </label>
          <button>Log in</button>
          <p role="alert">{problem}</p>
        </form>
      </SignedOut>
      <SignedIn>
        <p>Hello {session?.username}, says the browser.</p>
        <button onClick={() => void logOut()}>Log out</button>
      </SignedIn>
    </>
  )
}
