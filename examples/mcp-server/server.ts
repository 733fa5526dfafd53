import { createGuard } from '@countersign/guard'

import { createApp, metadataUrlOf } from './app.ts'

const {
  ISSUER = 'http://localhost:8000',
  RESOURCE = 'http://localhost:3000/mcp',
  GUARD_CLIENT_ID: clientId,
  GUARD_CLIENT_SECRET: clientSecret,
  PORT = '3000',
} = process.env

const guard = createGuard({
  issuer: ISSUER,
  // A token for another server must not work here.
  audience: RESOURCE,
  resourceMetadata: metadataUrlOf(RESOURCE),
  dpop: { publicUrl: new URL(RESOURCE).origin },
  // Without the feed, a revoked token works until it expires.
  ...(clientId && clientSecret ? { feed: { clientId, clientSecret } } : {}),
  onRefused: ({ code, reason }) => console.warn(JSON.stringify({ event: 'refused', code, reason })),
})

createApp(guard, RESOURCE).listen(Number(PORT), () => {
  console.log(`${RESOURCE} accepts access tokens of ${ISSUER}`)
})
