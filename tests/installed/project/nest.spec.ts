import 'reflect-metadata'

import type { INestApplication } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { COUNTERSIGN_GUARD } from '@countersign/guard/nest'
import { createFakeAuthority } from '@countersign/guard/testing'

import { AppModule, HttpExceptionFilter } from './cats'

describe.each([false, true])('cats (with a filter for HttpException: %s)', (hasFilter) => {
  const authority = createFakeAuthority()
  let application: INestApplication
  let url: string
  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(COUNTERSIGN_GUARD)
      .useValue(authority.createGuard())
      .compile()
    application = module.createNestApplication()
    if (hasFilter) application.useGlobalFilters(new HttpExceptionFilter())
    await application.listen(0, '127.0.0.1')
    url = await application.getUrl()
  })
  afterAll(() => application.close())

  const get = (path: string, token?: string) =>
    fetch(
      `${url}/${path}`,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    )

  it('answers a request without a token, and goes on', async () => {
    const refused = await get('cats')
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toMatch(/^Bearer /)
    expect(await refused.json()).toMatchObject(
      hasFilter ? { statusCode: 401 } : { code: 'token_missing' },
    )
    const accepted = await get('cats', authority.tokenFor({ sub: 'acct_1' }))
    expect(await accepted.json()).toEqual({ owner: 'acct_1' })
  })

  it('knows the decorators', async () => {
    expect(await (await get('cats/photo')).json()).toEqual({ sub: null })
    expect((await get('cats/all', authority.tokenFor())).status).toBe(403)
    expect((await get('cats/all', authority.tokenFor({ roles: ['admin'] }))).status).toBe(200)
  })
})
