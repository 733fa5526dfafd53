'use client'

import { createClient, type Session } from '@countersign/client'
import { CountersignProvider } from '@countersign/client/react'
import { useState, type ReactNode } from 'react'

/** Gives the client to the components in the browser. They begin with what the server has found out. */
export function Providers({
  initialSession,
  children,
}: {
  readonly initialSession: Session | null | undefined
  readonly children: ReactNode
}) {
  // On a server each rendering needs a client of its own, because a client belongs to one person.
  const [client] = useState(() => createClient())
  return (
    <CountersignProvider client={client} initialSession={initialSession}>
      {children}
    </CountersignProvider>
  )
}
