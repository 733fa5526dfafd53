// The page of slow-factors.test.ts: the client, its functions for factors and a hook of React, as one module.
import { createElement, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'

import { CountersignProvider, useStepUp } from '../../packages/client/src/bindings/react.ts'
import type { Client } from '../../packages/client/src/index.ts'

export { createClient } from '../../packages/client/src/index.ts'
export { createFactors, hasPasskeyAutofill } from '../../packages/client/src/factors.ts'

function StepUp(): ReactNode {
  const request = useStepUp()
  if (request === undefined) return null
  const onClick = (): void => void request.passkey()
  return createElement('button', { onClick }, `Confirm with ${request.methods.join(' or ')}`)
}

/** Renders a button in an element of the page while calls wait for a step-up. */
export function renderStepUp(root: Element, client: Client): void {
  createRoot(root).render(createElement(CountersignProvider, { client }, createElement(StepUp)))
}
