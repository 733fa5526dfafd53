import { freePort } from '../../../scripts/lib/processes.ts'
import { ACCOUNTS, callingWith, forkPeer, rotating, type Pair, type System } from './system.ts'

const FORM = 'application/x-www-form-urlencoded'

/** Starts oidc-provider in one process. It has no passwords: the login is a page of the application. */
export async function startOidcProvider(version: string): Promise<System> {
  const port = await freePort()
  const peer = await forkPeer<{ pairs: readonly Pair[] }>(
    'oidc-provider.mjs',
    [String(port), String(ACCOUNTS)],
    {},
  )
  const { pairs } = peer.hello
  return {
    name: 'oidc-provider',
    settings: `${version}, in memory (not durable), rotateRefreshToken, ES256 access tokens, no ID token`,
    operations: [
      rotating({
        port,
        pairs,
        send: (connection, refresh) =>
          connection.post(
            '/token',
            `grant_type=refresh_token&client_id=bench&refresh_token=${refresh}`,
            FORM,
          ),
        // The userinfo endpoint refuses the JWTs, so the clients keep their first, opaque access token for it.
        names: { refresh: 'refresh_token', access: undefined },
      }),
      callingWith({ port, path: '/me', variant: 'userinfo endpoint', pairs }),
    ],
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  }
}
