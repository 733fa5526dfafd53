import type { ReactNode } from 'react'

import { countersign } from '../lib/countersign'
import { Providers } from './providers'

export default async function Layout({ children }: { readonly children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Providers initialSession={await countersign.loadSession()}>{children}</Providers>
      </body>
    </html>
  )
}
