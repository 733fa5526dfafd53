import { createElement, StrictMode, type ReactNode } from 'react'
import { renderToString } from 'react-dom/server'
import { describe, expect, test } from 'vitest'

import { isAuthorized } from '../../packages/client/src/authorized.ts'
import {
  Authorized,
  CountersignProvider,
  SignedIn,
  SignedOut,
  useSession,
} from '../../packages/client/src/bindings/react.ts'
import { createClient, type Session } from '../../packages/client/src/index.ts'

const ALICE: Session = {
  sub: 'acct_1',
  username: 'alice',
  user_id: '1',
  roles: ['editor'],
  permissions: ['articles.write'],
  tenant_roles: ['owner'],
  tenant_permissions: ['invoices.read'],
  tenant: { id: 'ten_1', name: 'acme' },
  tenants: [{ id: 'ten_1', name: 'acme' }],
  sid: 's',
  auth_time: 0,
}

/** Renders on a server, where nothing can be asked. */
function render(child: ReactNode, initialSession?: Session | null): string {
  const client = createClient({ authority: 'https://auth.example.com' })
  const props = initialSession === undefined ? { client } : { client, initialSession }
  return renderToString(
    createElement(StrictMode, null, createElement(CountersignProvider, props, child)),
  )
}

function Status(): ReactNode {
  return useSession().status
}

describe('rendering on a server', () => {
  test.each([
    ['loading', undefined],
    ['signed-in', ALICE],
    ['signed-out', null],
  ])('has the status %s', (status, session) => {
    expect(render(createElement(Status), session)).toBe(status)
  })

  test('shows the parts for people who are logged in, or not', () => {
    const parts = [
      createElement(SignedIn, { key: 1 }, 'in'),
      createElement(SignedOut, { key: 2 }, 'out'),
      createElement(Authorized, { key: 3, roles: ['editor'], fallback: 'no' }, 'edit'),
    ]
    expect(render(parts, ALICE)).toBe('in<!-- -->edit')
    expect(render(parts, null)).toBe('out<!-- -->no')
    expect(render(parts)).toBe('no')
  })

  test('outside a provider says what is missing', () => {
    expect(() => renderToString(createElement(Status))).toThrow('CountersignProvider')
  })
})

describe('a requirement is met as in the guard', () => {
  test.each([
    [{}, true],
    [{ roles: ['editor'] }, true],
    [{ roles: ['admin', 'editor'] }, true],
    [{ roles: ['admin'] }, false],
    [{ roles: [] }, false],
    [{ permissions: ['articles.write'] }, true],
    [{ permissions: ['articles.write', 'articles.delete'] }, false],
    [{ roles: ['editor'], permissions: ['articles.delete'] }, false],
    // Roles in a tenant count only where the requirement names a tenant.
    [{ roles: ['owner'] }, false],
    [{ permissions: ['invoices.read'] }, false],
    [{ roles: ['owner'], tenant: 'acme' }, true],
    [{ roles: ['owner'], tenant: 'ten_1' }, true],
    [{ permissions: ['invoices.read', 'articles.write'], tenant: '*' }, true],
    [{ roles: ['owner'], tenant: 'other' }, false],
    [{ roles: ['editor'], tenant: 'other' }, false],
  ])('%o: %s', (requirement, isMet) => {
    expect(isAuthorized(ALICE, requirement)).toBe(isMet)
    expect(isAuthorized(null, requirement)).toBe(false)
    expect(isAuthorized(undefined, requirement)).toBe(false)
  })

  test('in no tenant, no tenant is met', () => {
    expect(isAuthorized({ ...ALICE, tenant: null }, { tenant: '*' })).toBe(false)
  })
})
