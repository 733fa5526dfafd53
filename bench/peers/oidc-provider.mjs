import { generateKeyPairSync } from 'node:crypto'

import { Provider } from 'oidc-provider'

// oidc-provider with rotation, ES256 access tokens and everything in memory. Sends the first tokens of each account to
// its parent, and serves until it is killed. Arguments: port, number of accounts.

process.once('disconnect', () => process.exit())
const [port, accounts] = process.argv.slice(2).map(Number)
const issuer = `http://127.0.0.1:${port}`
const RESOURCE = 'urn:bench:api'

/**
 * Keeps everything in a `Map`. The adapter that comes with the package keeps 1,000 entries and walks all tokens of a
 * grant at each write, so it would become slower with each refresh.
 */
class MapAdapter {
  static #entries = new Map()
  static #grants = new Map()
  #model

  constructor(model) {
    this.#model = model
  }

  #key(id) {
    return `${this.#model}:${id}`
  }

  async upsert(id, payload) {
    const key = this.#key(id)
    MapAdapter.#entries.set(key, payload)
    if (payload.grantId === undefined) return
    const members = MapAdapter.#grants.get(payload.grantId)
    if (members === undefined) MapAdapter.#grants.set(payload.grantId, new Set([key]))
    else members.add(key)
  }

  async find(id) {
    return MapAdapter.#entries.get(this.#key(id))
  }

  async consume(id) {
    MapAdapter.#entries.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000)
  }

  async destroy(id) {
    MapAdapter.#entries.delete(this.#key(id))
  }

  async revokeByGrantId(grantId) {
    for (const key of MapAdapter.#grants.get(grantId) ?? []) MapAdapter.#entries.delete(key)
    MapAdapter.#grants.delete(grantId)
  }
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const provider = new Provider(issuer, {
  adapter: MapAdapter,
  clients: [
    {
      client_id: 'bench',
      application_type: 'web',
      redirect_uris: ['https://app.example/callback'],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: {
    keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }],
  },
  cookies: { keys: ['only for benchmarks'] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: 3_600, RefreshToken: 14 * 86_400, Grant: 14 * 86_400 },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'api',
        audience: RESOURCE,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 3_600,
        jwt: { sign: { alg: 'ES256' } },
      }),
      useGrantedResource: () => true,
    },
  },
})

const client = await provider.Client.find('bench')
const pairs = await Promise.all(
  Array.from({ length: accounts }, (_, index) => issue(`user${index}`)),
)
provider.listen(port, '127.0.0.1', () => process.send({ pairs }))

/**
 * Returns a refresh token, and an opaque access token for the userinfo endpoint, which refuses JWTs. The refresh token
 * has no `openid` scope, so a refresh signs one token and not an ID token as well.
 */
async function issue(accountId) {
  const grant = new provider.Grant({ accountId, clientId: 'bench' })
  grant.addOIDCScope('openid offline_access')
  grant.addResourceScope(RESOURCE, 'api')
  const grantId = await grant.save()
  const common = { accountId, client, grantId, gty: 'authorization_code' }
  const refresh = new provider.RefreshToken({
    ...common,
    scope: 'offline_access api',
    resource: RESOURCE,
  })
  const access = new provider.AccessToken({ ...common, scope: 'openid' })
  return { refresh: await refresh.save(), access: await access.save() }
}
