import '@angular/compiler'
import {
  HttpClient,
  HttpErrorResponse,
  provideHttpClient,
  withInterceptors,
  type HttpInterceptorFn,
} from '@angular/common/http'
import {
  createEnvironmentInjector,
  ErrorHandler,
  platformCore,
  provideZonelessChangeDetection,
  runInInjectionContext,
  ɵINJECTOR_SCOPE as INJECTOR_SCOPE,
  type EnvironmentInjector,
} from '@angular/core'
import { catchError, lastValueFrom, map, of, tap, type Observable } from 'rxjs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  countersignInterceptor,
  injectSession,
  provideCountersign,
} from '../../packages/client/src/bindings/angular.ts'
import { createClient, type Client } from '../../packages/client/src/index.ts'
import { ALICE, startAuthority, type ListeningAuthority } from './world.ts'

let authority: ListeningAuthority
let client: Client
let injector: EnvironmentInjector
let http: HttpClient
/** The paths and statuses of all requests of `HttpClient`. */
let calls: string[]
beforeEach(async () => {
  authority = await startAuthority()
  client = createClient({ authority: authority.url, mode: 'memory' })
  calls = []
  injector = open(client)
  http = injector.get(HttpClient)
  await client.login(ALICE)
})
afterEach(async () => {
  injector.destroy()
  await authority[Symbol.asyncDispose]()
})

const watch: HttpInterceptorFn = (request, next) => {
  const note = (status: unknown): void =>
    void calls.push(`${request.url.replace(authority.url, '')} ${String(status)}`)
  return next(request).pipe(
    tap({
      next: (event) => 'status' in event && note(event.status),
      error: (error: HttpErrorResponse) => note(error.status),
    }),
  )
}

/** Creates the injector of an application. That of a browser would need a document, which Node lacks. */
function open(by: Client): EnvironmentInjector {
  const providers = [
    { provide: INJECTOR_SCOPE, useValue: 'root' },
    { provide: ErrorHandler, useValue: new ErrorHandler() },
    provideZonelessChangeDetection(),
    provideCountersign(by),
    provideHttpClient(withInterceptors([countersignInterceptor, watch])),
  ]
  // The injector of a platform is one of an environment, although its type does not say it.
  return createEnvironmentInjector(providers, platformCore().injector as EnvironmentInjector)
}

const untilExpired = (): void => authority.it.clock.advanceMs(400_000)
const statusOf = (answer: Observable<unknown>): Promise<unknown> =>
  lastValueFrom(
    answer.pipe(
      map(() => 200),
      catchError((error: HttpErrorResponse) => of(error.status)),
    ),
  )
const get = (path: string, headers: Record<string, string> = {}): Promise<unknown> =>
  statusOf(http.get(`${authority.url}${path}`, { headers }))

describe('the interceptor for Angular', () => {
  test('sends the access token, and repeats ten calls once each after one refresh', async () => {
    expect(await get('/auth/me')).toBe(200)
    untilExpired()
    calls = []
    const all = Array.from({ length: 10 }, (_, at) => get(`/auth/me?call=${at}`))
    expect(await Promise.all(all)).toEqual(all.map(() => 200))
    const expected = all.flatMap((_, at) => [`/auth/me?call=${at} 200`, `/auth/me?call=${at} 401`])
    expect(calls.toSorted()).toEqual(expected.toSorted())
  })

  test.each(['json', 'text', 'blob', 'arraybuffer'] as const)(
    'reads the code of a problem document as %s: no refresh can cure a wrong password',
    async (responseType) => {
      const change = { old_password: 'not the password', new_password: 'another long password' }
      // The overloads of `request` want one type for each `responseType`.
      const options = { body: change, responseType } as { body: object }
      const seen = client.peek()
      expect(await statusOf(http.request('POST', `${authority.url}/auth/password`, options))).toBe(
        401,
      )
      expect(calls).toEqual(['/auth/password 401'])
      expect(client.peek()).toBe(seen)
    },
  )

  test('repeats a call with its JSON body', async () => {
    untilExpired()
    const change = { old_password: ALICE.password, new_password: 'another long password' }
    expect(await statusOf(http.post(`${authority.url}/auth/password`, change))).toBe(200)
    expect(calls).toEqual(['/auth/password 401', '/auth/password 200'])
  })

  test('gives up when the session is over, and logs out', async () => {
    const { session, status } = runInInjectionContext(injector, injectSession)
    expect(session()).toMatchObject({ username: 'alice' })
    await authority.it.authority.sessions.end(client.peek()!.sid, 'test')
    expect(await get('/auth/me')).toBe(401)
    expect(calls).toEqual(['/auth/me 401'])
    expect([session(), status()]).toEqual([null, 'signed-out'])
  })

  test('leaves other errors, other hosts and headers of the caller alone', async () => {
    expect(await get('/auth/login')).toBe(405)
    calls = []
    expect(await get('/auth/me', { Authorization: 'Bearer bad' })).toBe(401)
    expect(calls).toEqual(['/auth/me 401'])
    const elsewhere = authority.url.replace('127.0.0.1', 'localhost')
    expect(await statusOf(http.get(`${elsewhere}/auth/me`))).toBe(401)
  })

  test('fails with the reason if the authority cannot refresh now, and keeps the session', async () => {
    untilExpired()
    await authority[Symbol.asyncDispose]()
    await expect(lastValueFrom(http.get(`${authority.url}/auth/me`))).rejects.toMatchObject({
      status: 0,
    })
    expect(client.peek()).toMatchObject({ username: 'alice' })
    authority = await startAuthority()
  })
})
