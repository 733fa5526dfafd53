import { createClient } from '@countersign/client'
import { CountersignProvider } from '@countersign/client/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

import { App } from './app.tsx'

const client = createClient()

createRoot(document.querySelector('#root')!).render(
  <StrictMode>
    <CountersignProvider client={client}>
      <App />
    </CountersignProvider>
  </StrictMode>,
)
