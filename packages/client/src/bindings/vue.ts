import {
  computed,
  inject,
  onScopeDispose,
  shallowReadonly,
  shallowRef,
  type ComputedRef,
  type InjectionKey,
  type Plugin,
  type ShallowRef,
} from 'vue'

import type { ClientError } from '../error.ts'
import type { StepUpRequest } from '../factors/types.ts'
import type { Session } from '../session.ts'
import type { Client } from '../types.ts'
import { askUntilKnown } from './ask.ts'
import { decideEntry, type Elsewhere, type EntryOptions } from './entry.ts'
import { createSignIn, FIRST_STATE, type SignInActions, type SignInState } from './sign-in.ts'
import { statusOf, type SessionStatus } from './status.ts'
import { watchStepUps } from './step-up.ts'

export type { SignInActions, SignInState } from './sign-in.ts'

/** The result of `useSession`. */
export interface SessionState {
  readonly client: Client
  /** The session, null if nobody is logged in, undefined while that is not known. */
  readonly session: Readonly<ShallowRef<Session | null | undefined>>
  readonly status: ComputedRef<SessionStatus>
  /** Why the authority did not say who is logged in. Only while that is not known; the plugin asks again. */
  readonly error: Readonly<ShallowRef<ClientError | undefined>>
}

const KEY: InjectionKey<SessionState> = Symbol('countersign')

/**
 * Creates the plugin for `app.use`, which gives the client to all components. When the application is mounted, it asks
 * who is logged in. `initialSession` is what a server that rendered the page has found out.
 */
export function createCountersign(
  client: Client,
  { initialSession }: { readonly initialSession?: Session | null } = {},
): Plugin {
  return {
    install(app) {
      const known = client.peek()
      const session = shallowRef(known === undefined ? initialSession : known)
      const error = shallowRef<ClientError>()
      app.provide(KEY, {
        client,
        session: shallowReadonly(session),
        status: computed(() => statusOf(session.value)),
        error: shallowReadonly(error),
      })
      // Not at once: a server that renders pages installs plugins for each request, but it mounts nothing.
      const mount = app.mount.bind(app)
      app.mount = (...place) => {
        const unlisten = client.onChange((next) => {
          session.value = next
          error.value = undefined
        })
        const stopAsking = askUntilKnown(client, (failed) => {
          error.value = failed
          if (!failed) session.value = client.peek()
        })
        app.onUnmount(() => {
          unlisten()
          stopAsking()
        })
        return mount(...place)
      }
    },
  }
}

/** Returns the session as refs, which change when it changes in any tab. */
export function useSession(): SessionState {
  const state = inject(KEY, undefined)
  if (!state) throw new Error('useSession needs app.use(createCountersign(client)).')
  return state
}

/** Returns a login: the step that the person is at, and the functions that continue it. */
export function useSignIn(): SignInActions & { readonly state: Readonly<ShallowRef<SignInState>> } {
  const { client } = useSession()
  const state = shallowRef(FIRST_STATE)
  const set = (next: SignInState): void => void (state.value = next)
  return { state: shallowReadonly(state), ...createSignIn(client, set) }
}

/**
 * Returns the request that the person confirms who they are, while calls of `client.fetch` wait for it. Use it once, in a
 * component that is always there.
 */
export function useStepUp(): Readonly<ShallowRef<StepUpRequest | undefined>> {
  const { client } = useSession()
  const request = shallowRef<StepUpRequest>()
  onScopeDispose(watchStepUps(client, (next) => void (request.value = next)))
  return shallowReadonly(request)
}

/**
 * Creates a guard for Vue Router, as `beforeEnter` of a route or within `router.beforeEach`. People who are not logged in
 * are sent to the login page, with their destination in `?next=`. While the authority cannot be reached and nobody knows
 * who is logged in, the navigation fails with a {@link ClientError}.
 *
 * It only decides what a page shows. The guard of the service decides what a person may do.
 */
export function requireSession(
  client: Pick<Client, 'session'>,
  options: EntryOptions = {},
): (to: { readonly fullPath: string }) => Promise<boolean | Elsewhere> {
  return async ({ fullPath }) => decideEntry(await client.session(), fullPath, options)
}
