import assert from 'node:assert'
import { createRequire } from 'node:module'

// `import` and `require` must give the same objects: a key that one made is a key for the other.
const require = createRequire(import.meta.url)
const entries = ['express', 'fastify', 'hono', 'nest', 'revocations', 'testing']
for (const name of [
  '@countersign/jwt',
  '@countersign/guard',
  ...entries.map((each) => `@countersign/guard/${each}`),
]) {
  const imported = await import(name)
  const required = require(name)
  const names = Object.keys(required)
  assert(names.length > 0, name)
  for (const each of names) assert.equal(imported[each], required[each], `${name}: ${each}`)
}
const { generateSigningKey } = await import('@countersign/jwt')
require('@countersign/jwt').createSigner(generateSigningKey('ES256'), { typ: 'at+jwt' })
