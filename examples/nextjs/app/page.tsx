import Link from 'next/link'

import { countersign } from '../lib/countersign'
import { Account } from './account'

/** Five server components that read the session, and a part that runs in the browser. None of them refreshes. */
export default function Page() {
  return (
    <main>
      <h1>Next.js with Countersign</h1>
      <Greeting />
      <ul>
        <Roles />
        <Tenant />
        <Since />
        <Devices />
      </ul>
      <Account />
      <Link href="/about">About this page</Link>
    </main>
  )
}

async function Greeting() {
  const session = await countersign.loadSession()
  // Undefined: not known. The page must not claim that nobody is logged in.
  if (session === undefined) return <p>One moment.</p>
  return (
    <p>{session === null ? 'Please log in.' : `Hello ${session.username}, says the server.`}</p>
  )
}

async function Roles() {
  const session = await countersign.getSession()
  return session && <li>Roles: {session.roles.join(', ') || 'none'}</li>
}

async function Tenant() {
  const session = await countersign.getSession()
  return session && <li>Tenant: {session.tenant?.name ?? 'none'}</li>
}

async function Since() {
  const session = await countersign.getSession()
  return session && <li>Since: {new Date(session.auth_time * 1000).toISOString()}</li>
}

/** Calls an API with the access token. Here the API is the authority's own. */
async function Devices() {
  const token = await countersign.getAccessToken()
  if (!token) return null
  const { AUTHORITY = 'http://localhost:8000', AUTHORITY_INTERNAL = AUTHORITY } = process.env
  const headers = { authorization: `Bearer ${token}` }
  const answer = await fetch(`${AUTHORITY_INTERNAL}/auth/sessions`, { headers })
  if (!answer.ok) return null
  const { sessions } = (await answer.json()) as { sessions: { id: string; device: string }[] }
  return <li>Devices: {sessions.map(({ device }) => device).join(', ')}</li>
}
