import { expect, test } from 'vitest'

import { productionLock, type PackageLock } from '../../scripts/lib/production-lock.ts'

const SERVER = {
  folder: 'packages/server',
  tarball: 'tarballs/server.tgz',
  manifest: { version: '1.0.0', dependencies: { a: '1.0.0', b: '2.0.0' } },
}

function lockWith(packages: PackageLock['packages']): PackageLock {
  return {
    packages: { 'node_modules/server': { resolved: 'packages/server', link: true }, ...packages },
  }
}

const build = (lock: PackageLock, without: readonly string[] = []) =>
  productionLock({ lock, name: 'server', own: { server: SERVER }, without: new Set(without) })

test('has what the server loads, at the versions of the lock file, and nothing else', () => {
  const lock = lockWith({
    'node_modules/a': {
      version: '1.0.0',
      integrity: 'A',
      devOptional: true,
      dependencies: { c: '^1' },
    },
    'node_modules/b': {
      version: '2.0.0',
      integrity: 'B',
      peerDependencies: { d: '*', e: '*' },
      peerDependenciesMeta: { e: { optional: true } },
    },
    'node_modules/c': { version: '1.2.0', integrity: 'C' },
    'node_modules/d': { version: '9.0.0', integrity: 'D', peer: true },
    'node_modules/e': { version: '9.0.0', integrity: 'E' },
  })
  expect(build(lock)).toEqual({
    'node_modules/server': {
      version: '1.0.0',
      resolved: 'file:tarballs/server.tgz',
      dependencies: { a: '1.0.0', b: '2.0.0' },
    },
    'node_modules/a': { version: '1.0.0', integrity: 'A', dependencies: { c: '^1' } },
    'node_modules/b': {
      version: '2.0.0',
      integrity: 'B',
      peerDependencies: { d: '*', e: '*' },
      peerDependenciesMeta: { e: { optional: true } },
    },
    'node_modules/c': { version: '1.2.0', integrity: 'C' },
    'node_modules/d': { version: '9.0.0', integrity: 'D' },
  })
})

test('takes the version that Node would find, also below the folder of the server', () => {
  const lock = lockWith({
    'node_modules/a': { version: '1.0.0', dependencies: { c: '^2' } },
    'node_modules/a/node_modules/c': { version: '2.0.0' },
    'node_modules/b': { version: '1.0.0' },
    'packages/server/node_modules/b': { version: '2.0.0', dependencies: { c: '^1' } },
    'node_modules/c': { version: '1.0.0' },
  })
  expect(Object.keys(build(lock))).toEqual([
    'node_modules/a',
    'node_modules/a/node_modules/c',
    'node_modules/c',
    'node_modules/server',
    'node_modules/server/node_modules/b',
  ])
})

test('leaves out optional packages that the lock file lacks, and replaced ones', () => {
  const lock = lockWith({
    'node_modules/a': { version: '1.0.0', optionalDependencies: { 'a-windows': '1.0.0' } },
    'node_modules/b': { version: '2.0.0', dependencies: { tracker: '1' } },
  })
  expect(() => build(lock)).toThrow('package-lock.json has no tracker for node_modules/b')
  const built = build(lock, ['tracker'])
  expect(Object.keys(built)).toEqual(['node_modules/a', 'node_modules/b', 'node_modules/server'])
  expect(built['node_modules/b']).toEqual({ version: '2.0.0', dependencies: {} })
})
