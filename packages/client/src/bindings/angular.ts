import { isPlatformServer } from '@angular/common'
import {
  HttpErrorResponse,
  type HttpEvent,
  type HttpHandlerFn,
  type HttpInterceptorFn,
  type HttpRequest,
} from '@angular/common/http'
import {
  computed,
  DestroyRef,
  inject,
  InjectionToken,
  makeEnvironmentProviders,
  PLATFORM_ID,
  signal,
  type EnvironmentProviders,
  type Signal,
} from '@angular/core'
import { Router, type CanActivateFn } from '@angular/router'
import { catchError, defer, switchMap, type Observable } from 'rxjs'

import type { ClientError } from '../error.ts'
import type { StepUpRequest } from '../factors/types.ts'
import type { Session } from '../session.ts'
import type { Client, Prepared } from '../types.ts'
import { askUntilKnown } from './ask.ts'
import { decideEntry, type EntryOptions } from './entry.ts'
import { createSignIn, FIRST_STATE, type SignInActions, type SignInState } from './sign-in.ts'
import { statusOf, type SessionStatus } from './status.ts'
import { watchStepUps } from './step-up.ts'

export type { SignInActions, SignInState } from './sign-in.ts'

/** The result of `injectSession`. */
export interface SessionState {
  readonly client: Client
  /** The session, null if nobody is logged in, undefined while that is not known. */
  readonly session: Signal<Session | null | undefined>
  readonly status: Signal<SessionStatus>
  /** Why the authority did not say who is logged in. Only while that is not known; the binding asks again. */
  readonly error: Signal<ClientError | undefined>
}

// No classes with decorators: those would have to be built with Angular's own compiler.
const CLIENT = new InjectionToken<Client>('Client of provideCountersign')
const STATE = new InjectionToken<SessionState>('Session of provideCountersign')

/**
 * Gives the client to the application. `initialSession` is what a server that rendered the page has found out; without
 * it, the first rendering has the status `loading`.
 */
export function provideCountersign(
  client: Client,
  { initialSession }: { readonly initialSession?: Session | null } = {},
): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: CLIENT, useValue: client },
    { provide: STATE, useFactory: () => createState(client, initialSession) },
  ])
}

/** Returns the session as signals, which change when it changes in any tab. Call it where `inject` may be called. */
export function injectSession(): SessionState {
  return inject(STATE)
}

/** Returns a login: the step that the person is at, and the functions that continue it. */
export function injectSignIn(): SignInActions & { readonly state: Signal<SignInState> } {
  const state = signal(FIRST_STATE)
  const actions = createSignIn(inject(CLIENT), (next) => state.set(next))
  return { state: state.asReadonly(), ...actions }
}

/**
 * Returns the request that the person confirms who they are, while requests wait for it. Call it once, in a component
 * that is always there.
 */
export function injectStepUp(): Signal<StepUpRequest | undefined> {
  const request = signal<StepUpRequest | undefined>(undefined)
  const stop = watchStepUps(inject(CLIENT), (next) => request.set(next))
  inject(DestroyRef).onDestroy(stop)
  return request.asReadonly()
}

/** Asks who is logged in, at the first use. */
function createState(client: Client, initialSession?: Session | null): SessionState {
  const known = client.peek()
  const session = signal(known === undefined ? initialSession : known)
  const error = signal<ClientError | undefined>(undefined)
  if (!isPlatformServer(inject(PLATFORM_ID))) {
    const whenDestroyed = inject(DestroyRef)
    const unlisten = client.onChange((next) => {
      session.set(next)
      error.set(undefined)
    })
    whenDestroyed.onDestroy(unlisten)
    whenDestroyed.onDestroy(
      askUntilKnown(client, (failed) => {
        error.set(failed)
        if (!failed) session.set(client.peek())
      }),
    )
  }
  return {
    client,
    session: session.asReadonly(),
    status: computed(() => statusOf(session())),
    error: error.asReadonly(),
  }
}

/**
 * Makes `HttpClient` send its requests with the session, and repeat a rejected request once after a refresh or a
 * step-up. Only requests to the authority and to the `origins` of the client get cookies, CSRF token or access token. The
 * client refreshes with `fetch`, so no interceptor sees that request.
 */
export const countersignInterceptor: HttpInterceptorFn = (request, next) =>
  send(inject(CLIENT), request, next, false)

function send(
  client: Client,
  request: HttpRequest<unknown>,
  next: HttpHandlerFn,
  isRepeat: boolean,
): Observable<HttpEvent<unknown>> {
  return defer(() => client.prepare(request.urlWithParams, request.method)).pipe(
    switchMap((prepared) => {
      const setHeaders = { ...prepared.headers }
      // A caller who sets these headers manages them, and no refresh can change them.
      const isOfCaller = Object.keys(setHeaders).some((name) => request.headers.has(name))
      if (!prepared.isOurs || isOfCaller) return next(request)
      const withCredentials = prepared.withCookies || request.withCredentials
      const answer = next(request.clone({ setHeaders, withCredentials }))
      if (isRepeat) return answer
      // Each request keeps its own `prepared`. Ten requests that fail together are ten decisions and one refresh.
      return answer.pipe(
        catchError((error: unknown) =>
          defer(() => checkRepeat(client, prepared, error)).pipe(
            switchMap(() => send(client, request, next, true)),
          ),
        ),
      )
    }),
  )
}

/** Throws the error of a request that must not be repeated. */
async function checkRepeat(client: Client, prepared: Prepared, error: unknown): Promise<void> {
  if (!(error instanceof HttpErrorResponse) || (error.status !== 401 && error.status !== 403)) {
    throw error
  }
  const challenge = error.headers.get('www-authenticate')
  const code = await codeOf(error)
  if (!(await client.shouldRepeat(prepared, error.status, code, challenge))) throw error
}

/** Returns the code of a problem document. It comes in the `responseType` that the caller has asked for. */
async function codeOf({ error: body }: HttpErrorResponse): Promise<string | undefined> {
  const isRaw = typeof body === 'string' || body instanceof Blob || body instanceof ArrayBuffer
  const content: unknown = isRaw ? await new Response(body).json().catch(() => undefined) : body
  const { code } = Object(content) as { readonly code?: unknown }
  return typeof code === 'string' ? code : undefined
}

/**
 * Creates a guard for the Router, as `canActivate` of a route. People who are not logged in are sent to the login page,
 * with their destination in `?next=`. While the authority cannot be reached and nobody knows who is logged in, the
 * navigation fails with a {@link ClientError}.
 *
 * It only decides what a page shows. The guard of the service decides what a person may do.
 */
export function requireSession(options: EntryOptions = {}): CanActivateFn {
  return async (_route, { url }) => {
    const router = inject(Router)
    const entry = decideEntry(await inject(CLIENT).session(), url, options)
    if (typeof entry === 'boolean') return entry
    return router.createUrlTree([entry.path], { queryParams: entry.query })
  }
}
