import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { SignJWT, exportJWK, generateKeyPair, type JWTPayload } from 'jose'

/** An answer of an {@link OddIssuer}: the status and the JSON body. */
export interface OddAnswer {
  readonly status?: number
  readonly body: unknown
}

/** A provider whose answers a test chooses, with a real server behind it. */
export interface OddIssuer extends AsyncDisposable {
  readonly url: string
  /** Replaces the answer of a path. */
  readonly answers: Map<string, (form: URLSearchParams, request: IncomingMessage) => OddAnswer>
  /** The requests so far, as method and path. */
  readonly requests: string[]
  /** Signs an ID token with the key that the provider publishes. */
  sign(claims: JWTPayload): Promise<string>
  /** Signs with another key under the same `kid`. */
  forge(claims: JWTPayload): Promise<string>
}

/** Starts a provider that publishes a discovery document and a key, and answers what the test says. */
export async function startOddIssuer(
  discovery: Readonly<Record<string, unknown>> = {},
): Promise<OddIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const { privateKey: foreignKey } = await generateKeyPair('RS256')
  const answers: OddIssuer['answers'] = new Map()
  const requests: string[] = []
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  // A server that listens on a port has an address of this kind.
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  const jwk = { ...(await exportJWK(publicKey)), kid: 'odd', alg: 'RS256', use: 'sig' }
  answers.set('/.well-known/openid-configuration', () => ({
    body: {
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      jwks_uri: `${url}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      ...discovery,
    },
  }))
  answers.set('/jwks', () => ({ body: { keys: [jwk] } }))

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', url)
    requests.push(`${request.method} ${pathname}`)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const { status = 200, body } = answers.get(pathname)?.(form, request) ?? {
      status: 404,
      body: {},
    }
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }

  const header = { alg: 'RS256', kid: 'odd' }
  return {
    url,
    answers,
    requests,
    sign: (claims) => new SignJWT(claims).setProtectedHeader(header).sign(privateKey),
    forge: (claims) => new SignJWT(claims).setProtectedHeader(header).sign(foreignKey),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
