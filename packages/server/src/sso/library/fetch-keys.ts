import type { Outbound } from '../../base/outbound.ts'

/** Creates the `fetch` with which the library gets the key sets of applications. It follows no redirect. */
export function fetchKeys(outbound: Outbound): (url: string) => Promise<Response> {
  return async (url) => {
    const { status, headers, body } = await outbound(url, {
      headers: { accept: 'application/json' },
    })
    const cached = headers['cache-control']
    return new Response(new Uint8Array(body), {
      status,
      headers: cached === undefined ? {} : { 'cache-control': cached },
    })
  }
}
