import '@angular/compiler'
import {
  createEnvironmentInjector,
  ErrorHandler,
  platformCore,
  provideZonelessChangeDetection,
  runInInjectionContext,
  ɵINJECTOR_SCOPE as INJECTOR_SCOPE,
  type EnvironmentInjector,
} from '@angular/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSSRApp, effectScope } from 'vue'

import {
  injectSignIn,
  injectStepUp,
  provideCountersign,
} from '../../packages/client/src/bindings/angular.ts'
import type { SignInActions, SignInState } from '../../packages/client/src/bindings/sign-in.ts'
import { createCountersign, useSignIn, useStepUp } from '../../packages/client/src/bindings/vue.ts'
import { createClient, type Client, type StepUpRequest } from '../../packages/client/src/index.ts'
import type { Pair } from '../../packages/server/test/support/authority.ts'
import { enrolApp, totpAt } from '../../packages/server/test/support/factors.ts'
import { ALICE, startAuthority, type ListeningAuthority } from './world.ts'

/** What a component of a framework sees. */
interface Hooks extends SignInActions {
  readonly state: () => SignInState
  readonly request: () => StepUpRequest | undefined
  /** Destroys the component. */
  readonly destroy: () => void
}

function openVue(client: Client): Hooks {
  const app = createSSRApp({ render: () => null }).use(createCountersign(client))
  const scope = effectScope()
  const [signIn, request] = scope.run(() =>
    app.runWithContext(() => [useSignIn(), useStepUp()] as const),
  )!
  return {
    ...signIn,
    state: () => signIn.state.value,
    request: () => request.value,
    destroy: () => scope.stop(),
  }
}

function openAngular(client: Client): Hooks {
  const providers = [
    { provide: INJECTOR_SCOPE, useValue: 'root' },
    { provide: ErrorHandler, useValue: new ErrorHandler() },
    provideZonelessChangeDetection(),
    provideCountersign(client),
  ]
  // The injector of a platform is one of an environment, although its type does not say it.
  const parent = platformCore().injector as EnvironmentInjector
  const injector = createEnvironmentInjector(providers, parent)
  const signIn = runInInjectionContext(injector, injectSignIn)
  const request = runInInjectionContext(injector, injectStepUp)
  return { ...signIn, state: signIn.state, request, destroy: () => injector.destroy() }
}

let authority: ListeningAuthority
let client: Client
beforeEach(async () => {
  authority = await startAuthority()
  client = createClient({ authority: authority.url, mode: 'memory' })
})
afterEach(() => authority[Symbol.asyncDispose]())

describe.each([
  ['Vue', openVue],
  ['Angular', openAngular],
])('the functions for %s', (_, open) => {
  test('go through a login, and begin again after a logout', async () => {
    const pair = (await (await authority.it.post('/api/token/', ALICE)).json()) as Pair
    const { secret } = await enrolApp(authority.it, pair)
    authority.it.clock.advanceMs(30_000)
    const { state, login, proceed, restart, destroy } = open(client)
    const idle = { step: undefined, error: undefined, isBusy: false }
    expect(state()).toEqual(idle)

    const failing = login({ ...ALICE, password: 'wrong' })
    expect(state()).toEqual({ ...idle, isBusy: true })
    await failing
    expect(state()).toMatchObject({ ...idle, error: { status: 401 } })

    await login(ALICE)
    const { step } = state()
    if (step?.next !== 'second-factor') throw new Error('no second factor was asked for')
    await proceed(() => step.totp('000000'))
    expect(state()).toMatchObject({ step, error: { code: 'factor_wrong' } })
    authority.it.clock.advanceMs(11 * 60_000)
    await proceed(() => step.totp('000000'))
    expect(state()).toMatchObject({ step: undefined, error: { code: 'ticket_void' } })
    restart()
    expect(state()).toEqual(idle)

    await login(ALICE)
    const next = state().step
    if (next?.next !== 'second-factor') throw new Error('no second factor was asked for')
    await proceed(() => next.totp(totpAt(secret, authority.it.clock.nowMs())))
    expect(state()).toMatchObject({ step: { next: 'signed-in' }, isBusy: false })
    await client.logout()
    await expect.poll(state).toEqual(idle)
    destroy()
  })

  test('show the request of a step-up until it is settled, and cancel it at the end', async () => {
    await client.login(ALICE)
    const { request, destroy } = open(client)
    const recoveryCodes = async (): Promise<unknown> => {
      authority.it.clock.advanceMs(11 * 60_000)
      const path = `${authority.url}/auth/factors/recovery-codes`
      const answer = await client.fetch(path, { method: 'POST' })
      return ((await answer.json()) as { code?: string }).code
    }
    const confirmed = recoveryCodes()
    await expect.poll(() => request()?.methods).toEqual(['password'])
    const asked = request()!
    await expect(asked.password('wrong')).rejects.toMatchObject({ code: 'credentials_invalid' })
    expect(request()).toBe(asked)
    await asked.password(ALICE.password)
    expect(await confirmed).toBe('factor_unavailable')
    await expect.poll(request).toBeUndefined()

    const cancelled = recoveryCodes()
    await expect.poll(() => request()?.methods).toEqual(['password'])
    destroy()
    expect(await cancelled).toBe('insufficient_user_authentication')
  })
})
