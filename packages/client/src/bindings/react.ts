import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
  type ReactElement,
  type ReactNode,
} from 'react'

import { isAuthorized, type Requirement } from '../authorized.ts'
import type { ClientError } from '../error.ts'
import type { StepUpRequest } from '../factors/types.ts'
import type { Session } from '../session.ts'
import type { Client } from '../types.ts'
import { askUntilKnown } from './ask.ts'
import { createSignIn, FIRST_STATE, type SignInActions, type SignInState } from './sign-in.ts'
import { watchStepUps } from './step-up.ts'

export type { SignInActions, SignInState } from './sign-in.ts'

interface Shared {
  readonly client: Client
  readonly error: ClientError | undefined
  readonly initialSession: Session | null | undefined
}

const Context = createContext<Shared | undefined>(undefined)

/** The result of `useSession`. */
export type SessionState = {
  readonly client: Client
  /** Why the authority did not say who is logged in. Only while that is not known; the provider asks again. */
  readonly error: ClientError | undefined
} & (
  | { readonly status: 'loading'; readonly session: undefined }
  | { readonly status: 'signed-in'; readonly session: Session }
  | { readonly status: 'signed-out'; readonly session: null }
)

/**
 * Gives the client to the components below, and asks once who is logged in. `initialSession` is what a server that
 * rendered the page has found out; without it, the first rendering has the status `loading`.
 */
export function CountersignProvider({
  client,
  initialSession,
  children,
}: {
  readonly client: Client
  readonly initialSession?: Session | null
  readonly children?: ReactNode
}): ReactElement {
  const [error, setError] = useState<ClientError>()
  useEffect(() => askUntilKnown(client, setError), [client])
  return createElement(Context, { value: { client, error, initialSession } }, children)
}

/** Returns the session, and renders again when it changes in any tab. */
export function useSession(): SessionState {
  const shared = useContext(Context)
  if (!shared) throw new Error('useSession needs a <CountersignProvider> above it.')
  const { client, error, initialSession } = shared
  const known = useSyncExternalStore(client.onChange, client.peek, () => undefined)
  const session = known === undefined ? initialSession : known
  if (session === undefined) return { client, error, status: 'loading', session }
  if (session === null) return { client, error: undefined, status: 'signed-out', session }
  return { client, error: undefined, status: 'signed-in', session }
}

/**
 * Returns a login: the step that the person is at, and the functions that continue it. Use it above `SignedOut`, which
 * disappears when the login is complete: recovery codes of a new factor are in the last step.
 */
export function useSignIn(): SignInState & SignInActions {
  const { client } = useSession()
  const [state, setState] = useState(FIRST_STATE)
  const actions = useMemo(() => createSignIn(client, setState), [client])
  return { ...state, ...actions }
}

/**
 * Returns the request that the person confirms who they are, while calls of `client.fetch` wait for it. Otherwise
 * undefined. Use it once, in a component that is always there.
 */
export function useStepUp(): StepUpRequest | undefined {
  const { client } = useSession()
  const [request, setRequest] = useState<StepUpRequest>()
  useEffect(() => watchStepUps(client, setRequest), [client])
  return request
}

/** Renders its children if somebody is logged in. */
export function SignedIn({ children }: { readonly children?: ReactNode }): ReactNode {
  return useSession().session ? children : null
}

/** Renders its children if nobody is logged in. While that is not known, neither this nor `SignedIn` does. */
export function SignedOut({ children }: { readonly children?: ReactNode }): ReactNode {
  return useSession().session === null ? children : null
}

/**
 * Renders its children if the person has one of the roles and all of the permissions, otherwise `fallback`. It only
 * decides what a page shows. The guard of the service decides what a person may do.
 */
export function Authorized({
  children,
  fallback = null,
  ...requirement
}: Requirement & { readonly children?: ReactNode; readonly fallback?: ReactNode }): ReactNode {
  return isAuthorized(useSession().session, requirement) ? children : fallback
}
