import { afterAll, beforeAll, expect, test } from 'vitest'

import { describeWith } from '../support/requirements.ts'
import { ask } from './ask.ts'
import { startFront, type Front } from './front.ts'
import { startRecordingNode, type RecordingNode } from './node.ts'

const REFRESH = '__Host-cs_refresh'

describeWith(
  'nginx',
  'the cookies that deploy/nginx/refresh-cookie.conf leaves to services',
  () => {
    let service: RecordingNode
    let front: Front

    beforeAll(async () => {
      service = await startRecordingNode('service')
      front = await startFront({ nodes: [service.port], service: service.port })
    })
    afterAll(async () => {
      await front?.[Symbol.asyncDispose]()
      await service?.[Symbol.asyncDispose]()
    })

    /** Returns the Cookie header that arrives at a path. A list makes several headers. */
    async function forward(cookie: string | readonly string[], path = '/api/x'): Promise<string> {
      service.arrivals.length = 0
      expect((await ask(front, { path, headers: { cookie } })).status).toBe(200)
      return (service.arrivals[0]?.headers.cookie ?? '').trim()
    }

    test.each([
      ['a=1; __Host-cs_access=A.b-c', 'a=1; __Host-cs_access=A.b-c'],
      [`${REFRESH}=R.r-r`, ''],
      [`a=1; ${REFRESH}=R.r-r; __Host-cs_access=A`, 'a=1; __Host-cs_access=A'],
      [`${REFRESH}=R.r-r; a=1; b=2`, 'a=1; b=2'],
      [`a=1; b=2; ${REFRESH}=R.r-r`, 'a=1; b=2;'],
      ['my__Host-cs_refresh=1; a=2', 'my__Host-cs_refresh=1; a=2'],
      // Odd spacing, as proxies that join headers make it.
      [`a=1;${REFRESH}=R.r-r;b=2`, 'a=1; b=2'],
      [`a=1;   ${REFRESH}=R.r-r;\tb=2`, 'a=1; b=2'],
      [`a=1; ${REFRESH} =R.r-r; b=2`, 'a=1; b=2'],
      [`a=1; ${REFRESH}= R.r-r ; b=2`, 'a=1; b=2'],
      [`a=1;\t${REFRESH}\t=R.r-r; b=2`, 'a=1; b=2'],
    ])('%j becomes %j', async (sent, received) => {
      expect(await forward(sent)).toBe(received)
    })

    test.each([
      [[`${REFRESH}=R.r-r; ${REFRESH}=R.r-r`]],
      [[`${REFRESH}=R.r-r; a=1; ${REFRESH}=R.r-r; b=2`]],
      [[`a=1; ${REFRESH} =R.r-r;${REFRESH}=R.r-r`]],
      [[`${REFRESH}=x; ${REFRESH}=y; ${REFRESH}=R.r-r`]],
      [[`a=1, ${REFRESH}=R.r-r`]],
      [[`${REFRESH}=R.r-r, b=2`]],
      [[`a=1 ${REFRESH}=R.r-r`]],
      [[REFRESH]],
      // Two headers, as HTTP/2 clients send them.
      [[`a=1; ${REFRESH}=R.r-r`, `b=2; ${REFRESH}=R.r-r`]],
      [[`a=1`, `${REFRESH}=R.r-r`]],
    ])('%j does not reach the service', async (sent) => {
      const received = await forward(sent)
      expect(received).not.toContain('R.r-r')
      expect(received).not.toContain(REFRESH)
    })

    test.each(['/auth/refresh', '/api/token', '/api/token/', '/api/token/refresh/'])(
      'the node gets all cookies at %s',
      async (path) => {
        expect(await forward(`a=1; ${REFRESH}=R.r-r`, path)).toBe(`a=1; ${REFRESH}=R.r-r`)
      },
    )

    test.each(['/api/tokens', '/api/token-x', '/api/', '/api/x/../../api/y'])(
      'a service gets the request for %s, without the refresh token',
      async (path) => {
        expect(await forward(`a=1; ${REFRESH}=R.r-r`, path)).toBe('a=1;')
      },
    )
  },
)
