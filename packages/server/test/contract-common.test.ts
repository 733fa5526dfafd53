import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, USERNAME, type TestAuthority } from './support/authority.ts'
import {
  ask,
  askJson,
  endpoints,
  expectAnswer,
  expectContractHeaders,
  FORM_TYPE,
  named,
  readAnswer,
} from './support/contract.ts'

let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())

/** The body with the same errors for every field. */
function eachField(fields: readonly string[], ...errors: string[]): string {
  return JSON.stringify(Object.fromEntries(fields.map((field) => [field, errors])))
}

describe.each(endpoints)('POST $path', ({ path, fields }) => {
  const required = eachField(fields, 'This field is required.')

  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'bogus'])(
    'refuses the method %s',
    async (method) => {
      const answer = await ask(it, path, { method, type: null })
      const body = JSON.stringify({ detail: `Method "${method}" not allowed.` })
      expectAnswer(answer, 405, method === 'HEAD' ? '' : body)
    },
  )

  test('answers OPTIONS with only the methods', async () => {
    const answer = await ask(it, path, { method: 'OPTIONS', type: null })
    expect(answer).toMatchObject({ status: 204, text: '' })
    expect(answer.headers.get('allow')).toBe('POST, OPTIONS')
  })

  test.each([
    'text/plain',
    'text/json',
    'application/xml',
    'application/jsonp',
    'application/json; charset=utf-16',
    'application/json; charset=latin1',
    'application/x-www-form-urlencoded; charset=utf-7',
    'a"b',
  ])('refuses the media type %s by name', async (type) => {
    const detail = `Unsupported media type "${type}" in request.`
    expectAnswer(await ask(it, path, { type, body: '{}' }), 415, JSON.stringify({ detail }))
  })

  test('refuses a body without a media type', async () => {
    expectAnswer(
      await ask(it, path, { type: null, body: new TextEncoder().encode('{}') }),
      415,
      '{"detail":"Unsupported media type \\"\\" in request."}',
    )
  })

  test.each(['gzip', 'br', 'deflate, gzip', 'bogus'])(
    'refuses the content encoding %s',
    async (encoding) => {
      const answer = await ask(it, path, { headers: { 'content-encoding': encoding }, body: '{}' })
      expectAnswer(answer, 415, '{"detail":"Compressed bodies are not accepted."}')
    },
  )

  test.each([
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'Application/JSON',
    'application/json; version=1',
  ])('takes JSON as %s', async (type) => {
    expectAnswer(await ask(it, path, { type, body: '{}' }), 400, required)
  })

  test.each([
    ['JSON', 'application/json'],
    ['a form', FORM_TYPE],
    ['a multipart form', 'multipart/form-data; boundary=x'],
    ['any other type', 'text/plain'],
    ['no type', null],
  ])('takes an empty body of %s for an empty object', async (_, type) => {
    expectAnswer(await ask(it, path, { type }), 400, required)
  })

  test.each(
    named([
      '{',
      '{"a":1',
      '{"a":1,}',
      '[1,]',
      "{'a':'b'}",
      '{a:1}',
      'NaN',
      '{"a":NaN}',
      '{"a":Infinity}',
      '{"a":1e999}',
      '{"a":01}',
      '{"a":"\t"}',
      '{"a":"\\x41"}',
      '{"a":undefined}',
      '{}{}',
      '{} x',
      '// comment\n{}',
      ' ',
      'nul',
      '\ufeff{}',
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":2}',
      '{"b":{"a":1,"a":1}}',
      '{"__proto__":{"polluted":true}}',
      `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
      `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`,
    ]),
  )('refuses the malformed JSON %s', async (_, body) => {
    const answer = await ask(it, path, { body })
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/^\{"detail":"JSON parse error - [^"]+"\}$/)
    expectContractHeaders(answer)
  })

  test.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['a surrogate in CESU-8', [0xed, 0xa0, 0x80]],
    ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a character cut short', [0xe2, 0x82]],
  ])('refuses JSON with %s as not UTF-8', async (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')])
    expectAnswer(
      await ask(it, path, { body: new Uint8Array(body) }),
      400,
      '{"detail":"JSON parse error - The body is not valid UTF-8."}',
    )
  })

  test.each([
    ['[]', 'list'],
    ['[{"username":"alice"}]', 'list'],
    ['"text"', 'str'],
    ['""', 'str'],
    ['1', 'int'],
    ['0', 'int'],
    ['-0', 'int'],
    ['123456789012345678901234567890', 'int'],
    ['1.0', 'float'],
    ['1e5', 'float'],
    ['true', 'bool'],
    ['false', 'bool'],
  ])('A02 calls the body %s by its Python type, %s', async (body, type) => {
    const text = `Invalid data. Expected a dictionary, but got ${type}.`
    expectAnswer(await ask(it, path, { body }), 400, JSON.stringify({ non_field_errors: [text] }))
  })

  test('answers null with the error that there is no data', async () => {
    const body = '{"non_field_errors":["No data provided"]}'
    expectAnswer(await ask(it, path, { body: 'null' }), 400, body)
  })

  test.each([
    ['missing', undefined, ['This field is required.']],
    ['null', null, ['This field may not be null.']],
    ['empty', '', ['This field may not be blank.']],
    ['only white space', ' \t\r\n\u00a0\u2003\u3000\u0085\u001c', ['This field may not be blank.']],
    ['true', true, ['Not a valid string.']],
    ['false', false, ['Not a valid string.']],
    ['a list', [], ['Not a valid string.']],
    ['a list with a text', ['a'], ['Not a valid string.']],
    ['an object', {}, ['Not a valid string.']],
    ['a text with NUL', 'a\0b', ['Null characters are not allowed.']],
    ['only NUL', '\0', ['Null characters are not allowed.']],
    ['a high surrogate alone', 'a\ud83db', ['Surrogate characters are not allowed: U+D83D.']],
    ['a low surrogate alone', '\udc00', ['Surrogate characters are not allowed: U+DC00.']],
    [
      'a pair and then a half one',
      '\u{1f600}\udfff',
      ['Surrogate characters are not allowed: U+DFFF.'],
    ],
    [
      'NUL and half a pair',
      '\0\ud800',
      ['Null characters are not allowed.', 'Surrogate characters are not allowed: U+D800.'],
    ],
  ])('names every field that is %s', async (_, value, errors) => {
    // JSON.stringify writes half a surrogate pair as an escape, as the contract's clients do.
    const body = Object.fromEntries(fields.map((field) => [field, value]))
    expectAnswer(await askJson(it, path, body), 400, eachField(fields, ...errors))
  })

  test('names a field that is a file, or given twice in a form', async () => {
    const form = new FormData()
    for (const field of fields) form.set(field, new Blob(['x']), 'name.txt')
    const request = new Request(`http://localhost:8000${path}`, { method: 'POST', body: form })
    expectAnswer(
      await readAnswer(await it.authority.fetch(request)),
      400,
      eachField(fields, 'Not a valid string.'),
    )
    expectAnswer(
      await ask(it, path, { type: FORM_TYPE, body: `${fields[0]}=a&${fields[0]}=a` }),
      400,
      '{"detail":"Form parse error - The form body names a field twice."}',
    )
  })

  test.each(['%zz', 'a=%', 'a=%ff', 'a=%c0%af', 'a=%ed%a0%80'])(
    'refuses the form %s, which browsers never send',
    async (body) => {
      expectAnswer(
        await ask(it, path, { type: FORM_TYPE, body }),
        400,
        '{"detail":"Form parse error - The form body cannot be read."}',
      )
    },
  )

  test.each([
    ['multipart/form-data', 'x'],
    ['multipart/form-data; boundary=x', 'nothing like a form'],
    ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb'],
  ])('refuses a broken %s', async (type, body) => {
    expectAnswer(
      await ask(it, path, { type, body }),
      400,
      '{"detail":"Multipart form parse error - The form body cannot be read."}',
    )
  })

  test('refuses a body of 16 KiB plus one byte, and reads a body of exactly 16 KiB', async () => {
    const fill = (length: number): string => `{"x":"${'a'.repeat(length - 8)}"}`
    expectAnswer(await ask(it, path, { body: fill(16_384) }), 400, required)
    expectAnswer(
      await ask(it, path, { body: fill(16_385) }),
      413,
      '{"detail":"The body is larger than 16 KiB."}',
    )
  })

  test('counts the bytes of a body without Content-Length', async () => {
    const chunk = new TextEncoder().encode(' '.repeat(1_024))
    const stream = (chunks: number): ReadableStream =>
      new ReadableStream({
        start(controller) {
          for (let sent = 0; sent < chunks; sent += 1) controller.enqueue(chunk)
          controller.enqueue(new TextEncoder().encode('{}'))
          controller.close()
        },
      })
    const send = async (chunks: number): Promise<number> => {
      const init = { method: 'POST', body: stream(chunks), duplex: 'half' } as const
      const headers = { 'content-type': 'application/json' }
      const request = new Request(`http://localhost:8000${path}`, { ...init, headers })
      return (await it.authority.fetch(request)).status
    }
    expect([await send(15), await send(16)]).toEqual([400, 413])
  })

  test('answers the same without the slash at the end', async () => {
    expectAnswer(await ask(it, path.slice(0, -1), { body: '{}' }), 400, required)
    const get = await ask(it, path.slice(0, -1), { method: 'GET', type: null })
    expectAnswer(get, 405, '{"detail":"Method \\"GET\\" not allowed."}')
  })

  test('ignores unknown fields', async () => {
    const body = { extra: 1, constructor: { prototype: { polluted: true } }, toString: 'x' }
    expectAnswer(await askJson(it, path, body), 400, required)
    expect('polluted' in {}).toBe(false)
  })

  test.each(['Bearer garbage', 'Bearer', 'Basic YWxpY2U6eA==', 'x'])(
    'ignores the header Authorization: %s',
    async (authorization) => {
      expectAnswer(await ask(it, path, { headers: { authorization }, body: '{}' }), 400, required)
    },
  )
})

test('names only the fields that failed, each with its own error', async () => {
  expectAnswer(
    await askJson(it, '/api/token/', { username: USERNAME }),
    400,
    '{"password":["This field is required."]}',
  )
  expectAnswer(
    await askJson(it, '/api/token/', { password: null, username: [] }),
    400,
    '{"username":["Not a valid string."],"password":["This field may not be null."]}',
  )
  expectAnswer(
    await askJson(it, '/api/token/', { password: PASSWORD, username: ' ' }),
    400,
    '{"username":["This field may not be blank."]}',
  )
})
