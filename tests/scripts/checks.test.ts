import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { findUndocumented } from '../../scripts/docstrings.ts'
import { findOutdated, loadGenerated } from '../../scripts/generate.ts'
import { findWrongArrows } from '../../scripts/layers.ts'
import { findTooLong } from '../../scripts/readme-length.ts'

// Each of our own checks must be able to fail.

const root = resolve(import.meta.dirname, '../..')

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'countersign-checks-'))
  for (const name of ['jwt', 'guard', 'client', 'server'])
    write(`packages/${name}/src/index.ts`, '')
})
afterEach(() => rmSync(base, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(base, path)), { recursive: true })
  writeFileSync(join(base, path), text)
}

describe('layers', () => {
  test('files in their layers pass', () => {
    write('packages/server/src/base/a.ts', `import { join } from 'node:path'`)
    write('packages/server/src/store/b.ts', `import '../base/a.ts'\nimport { z } from 'zod'`)
    write('packages/server/src/cli/c.ts', `import type { S } from '../settings.ts'`)
    expect(findWrongArrows(base)).toEqual([])
  })

  test.each([
    ['an import', `import { b } from '../store/b.ts'`],
    ['an import over several lines', `import {\n  b,\n} from "../store/b.ts"`],
    ['a type import', `import type { B } from '../store/b.ts'`],
    ['a type among values', `import { type B } from '../store/b.ts'`],
    ['an inline type import', `export type A = import('../store/b.ts').B`],
    ['a dynamic import', `export const a = await import('../store/b.ts')`],
    ['a re-export', `export { b } from '../store/b.ts'`],
    ['a type re-export', `export type { B } from '../store/b.ts'`],
    ['an export of everything', `export * from '../store/b.ts'`],
    ['an import for its effects', `import '../store/b.ts'`],
  ])('%s from a layer above fails', (_, text) => {
    write('packages/server/src/store/b.ts', '')
    write('packages/server/src/base/a.ts', text)
    expect(findWrongArrows(base)).toEqual([
      'packages/server/src/base/a.ts: base/ imports store/b.ts from above it',
    ])
  })

  test.each([
    ['jwt', 'a.ts', `import 'zod'`, 'imports zod, which this package may not'],
    ['guard', 'a.ts', `import type {} from 'countersign'`, 'imports countersign, which this'],
    ['client', 'a.ts', `import 'node:crypto'`, 'imports node:crypto, which this package may not'],
    ['guard', 'a.ts', `import '../../jwt/src/index.ts'`, 'outside its package'],
    ['server', 'other/a.ts', `import '../index.ts'`, 'is in other/, which is not a layer'],
  ])('packages/%s/src/%s with %s fails', (name, file, text, problem) => {
    write(`packages/${name}/src/${file}`, text)
    expect(findWrongArrows(base)).toEqual([expect.stringContaining(problem)])
  })

  test('a cycle of type imports is reported once, with its files', () => {
    write('packages/guard/src/a.ts', `import type { B } from './in/b.ts'\nexport type A = B`)
    write('packages/guard/src/in/b.ts', `import { type C } from './c.ts'`)
    write('packages/guard/src/in/c.ts', `export type C = import('../a.ts').A`)
    write('packages/guard/src/d.ts', `import './a.ts'`)
    expect(findWrongArrows(base)).toEqual([
      'packages/guard/src: these files import each other: a.ts -> in/b.ts -> in/c.ts -> a.ts',
    ])
  })

  test('a comment or a string is not an import', () => {
    write(
      'packages/server/src/base/a.ts',
      `// import '../store/b.ts'\nconst a = "import '../x.ts'"`,
    )
    expect(findWrongArrows(base)).toEqual([])
  })

  test('a package without files is reported', () => {
    rmSync(join(base, 'packages/jwt'), { recursive: true })
    expect(findWrongArrows(base)).toEqual(['packages/jwt/src: no files were found'])
  })
})

describe('docstrings', () => {
  test('each kind of export needs a docstring, directly before it', () => {
    write(
      'packages/jwt/src/a.ts',
      `export const a = 1
export function b() {}
// Not a docstring.
export class C {}
/** Of something else. */
const x = 1
export interface D { e: string }
/* Not a docstring. */
export type E = string
export async function f() {}
export const [g, h] = [1, 2]
`,
    )
    const names = findUndocumented(base).map((line) => /: (\w+)$/.exec(line)?.[1])
    expect(names).toEqual(['a', 'b', 'C', 'D', 'E', 'f', 'g', 'h'])
    expect(findUndocumented(base)[0]).toBe('packages/jwt/src/a.ts:1: a')
  })

  test('documented exports, overloads, re-exports and private names pass', () => {
    write(
      'packages/jwt/src/a.ts',
      `/** One. */
export function a(x: string): void
export function a(x: number): void
export function a(x: unknown): void {}
/**
 * Two.
 */
export type B = string
const c = 1
export { c }
export { d } from './d.ts'
export type { E } from './d.ts'
export * from './d.ts'
`,
    )
    expect(findUndocumented(base)).toEqual([])
  })

  test('a package without files is reported', () => {
    rmSync(join(base, 'packages/jwt'), { recursive: true })
    expect(findUndocumented(base)).toEqual(['packages/jwt/src: no files were found'])
  })
})

describe('generated files', () => {
  test('a missing file and a file that differs are reported, with what to do', async () => {
    const files = [
      { path: 'same.md', render: () => 'same' },
      { path: 'other.md', render: () => 'new' },
      { path: 'missing.md', render: async () => 'new' },
    ]
    write('same.md', 'same')
    write('other.md', 'old')
    expect(await findOutdated(files, base)).toEqual([
      'other.md: differs from its tables in the code; run npm run generate',
      'missing.md: differs from its tables in the code; run npm run generate',
    ])
  })

  test('a module exports its path and render, objects with them, or lists of those', async () => {
    write('generate/a.ts', `export const path = 'a.md'\nexport const render = () => ''`)
    write('generate/b.ts', `export const page = { path: 'b.md', render: () => '' }`)
    write('generate/c.ts', `export const pages = [{ path: 'c.md', render: () => '' }]`)
    const files = await loadGenerated(join(base, 'generate'))
    expect(files.map(({ path }) => path)).toEqual(['a.md', 'b.md', 'c.md'])
    await expect(loadGenerated(join(base, 'nothing'))).rejects.toThrow('generates a file')
  })

  test('the references of errors, settings and commands are generated', async () => {
    const paths = (await loadGenerated()).map(({ path }) => path)
    for (const name of ['errors', 'settings', 'cli']) {
      expect(paths).toContain(`docs/reference/${name}.md`)
    }
  })
})

test('a README of 130 lines passes, a README of 131 lines fails', () => {
  expect(findTooLong('x\n'.repeat(130))).toEqual([])
  expect(findTooLong('x\n'.repeat(131))).toEqual([
    'README.md has 131 lines; at most 130 are allowed',
  ])
})

test('a link to a missing file or heading fails', () => {
  cpSync(join(root, 'scripts/check-links.ts'), join(base, 'scripts/check-links.ts'))
  const check = (): string =>
    execFileSync(process.execPath, ['scripts/check-links.ts'], {
      cwd: base,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  write('a.md', '# One\n[b](b.md#two), [out](https://example.com/), [self](#one)\n')
  write('b.md', '# Two\n')
  expect(check()).toBe('')
  write('a.md', '[b](b.md#three) and [c](c.md)\n')
  expect(check).toThrow(/b\.md#three[\s\S]*c\.md/)
})
