import { createSSRApp, h, type Component } from 'vue'
import { createMemoryHistory, createRouter, type NavigationGuard } from 'vue-router'
import { renderToString } from 'vue/server-renderer'
import { describe, expect, test } from 'vitest'

import {
  createCountersign,
  requireSession,
  useSession,
} from '../../packages/client/src/bindings/vue.ts'
import { ClientError, createClient, type Session } from '../../packages/client/src/index.ts'

const ALICE: Session = {
  sub: 'acct_1',
  username: 'alice',
  user_id: '1',
  roles: ['editor'],
  permissions: [],
  tenant: null,
  tenants: [],
  sid: 's',
  auth_time: 0,
}

const Status: Component = {
  setup() {
    const { status, session } = useSession()
    return () => h('p', `${status.value} ${session.value?.username ?? ''}`)
  },
}

describe('rendering on a server, where nothing can be asked', () => {
  test.each([
    ['loading ', undefined],
    ['signed-in alice', ALICE],
    ['signed-out ', null],
  ])('has the status %s', async (status, session) => {
    const client = createClient({ authority: 'http://127.0.0.1:9' })
    const options = session === undefined ? {} : { initialSession: session }
    const app = createSSRApp(Status).use(createCountersign(client, options))
    expect(await renderToString(app)).toBe(`<p>${status}</p>`)
  })

  test('without the plugin says what is missing', async () => {
    const app = createSSRApp(Status)
    app.config.warnHandler = () => {}
    await expect(renderToString(app)).rejects.toThrow('app.use(createCountersign(client))')
  })
})

describe('the guard for Vue Router', () => {
  /** Goes to a path with Vue Router, and returns the path that it arrives at. */
  async function go(path: string, answer: Session | null | ClientError): Promise<string> {
    const session = async (): Promise<Session | null> => {
      if (answer instanceof ClientError) throw answer
      return answer
    }
    const guard: NavigationGuard = requireSession({ session }, { roles: ['admin'], denied: '/no' })
    const plain = requireSession({ session }, { login: '/in' })
    const component = { render: () => null }
    const router = createRouter({
      history: createMemoryHistory(),
      routes: [
        { path: '/admin', component, beforeEnter: guard },
        { path: '/mine/:id', component, meta: { isPrivate: true } },
        {
          path: '/strict',
          component,
          beforeEnter: requireSession({ session }, { roles: ['admin'] }),
        },
        { path: '/:rest*', component },
      ],
    })
    router.onError(() => {}) // otherwise it writes to the console
    router.beforeEach((to) => (to.meta['isPrivate'] ? plain(to) : true))
    await router.push('/start')
    await router.push(path)
    return router.currentRoute.value.fullPath
  }

  test.each([
    ['/admin', { ...ALICE, roles: ['admin'] }, '/admin'],
    ['/admin', ALICE, '/no'],
    ['/admin?tab=1', null, '/login?next=/admin?tab%3D1'],
    ['/strict', ALICE, '/start'],
    ['/mine/7', ALICE, '/mine/7'],
    ['/mine/7', null, '/in?next=/mine/7'],
    ['/open', null, '/open'],
  ])('%s', async (path, session, arrived) => {
    expect(decodeURIComponent(await go(path, session))).toBe(decodeURIComponent(arrived))
  })

  test('fails while nobody knows who is logged in', async () => {
    const error = new ClientError('unavailable', { status: 503 })
    await expect(go('/admin', error)).rejects.toBe(error)
    expect(await go('/open', error)).toBe('/open')
  })
})
