import { type Guard, resourceMetadata } from '@countersign/guard'
import { authOf, requireAuth } from '@countersign/guard/express'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express, { type Express, type Request, type Response } from 'express'

import { createTools } from './tools.ts'

/** Every request needs this scope. Single tools need more. */
const CONNECT = 'notes:read'

/**
 * Makes the MCP server. `resource` is its public URL, which is also the audience of its tokens. MCP has one endpoint, so
 * one guarded route protects all tools.
 */
export function createApp(guard: Guard, resource: string): Express {
  const app = express()
  app.disable('x-powered-by')

  // A client that was refused reads here which authority signs people in (RFC 9728 §3.1).
  app.get(new URL(metadataUrlOf(resource)).pathname, (_request, response) => {
    response.set('access-control-allow-origin', '*').json(
      resourceMetadata(guard, {
        resource,
        resource_name: 'Notes',
        scopes_supported: [CONNECT, 'notes:write'],
      }),
    )
  })

  const guarded = [requireAuth(guard, { scopes: [CONNECT] }), express.json()]
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 handles a rejected promise
  app.all('/mcp', ...guarded, async (request, response) => answer(request, response))
  return app
}

/** Answers one message. Without a session id each stands alone, so any process can answer it. */
async function answer(request: Request, response: Response): Promise<void> {
  const { sub, client_id, scope = '', exp } = authOf(request)
  const scopes = scope.split(' ')
  const tools = createTools({ owner: sub, application: client_id, scopes })
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
  response.on('close', () => void tools.close())
  await tools.connect(transport)
  // The SDK hands these members to tools as `extra.authInfo`. No tool needs the token itself.
  const auth = { token: '', clientId: client_id, scopes, expiresAt: exp, extra: { sub } }
  await transport.handleRequest(Object.assign(request, { auth }), response, request.body)
}

/** The URL of the metadata: the path of the resource follows the well-known name. */
export function metadataUrlOf(resource: string): string {
  const { origin, pathname } = new URL(resource)
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`
}
