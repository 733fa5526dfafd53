import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import {
  parseCommand,
  parseContainerfile,
  parsePairs,
  readContainerfile,
  restOf,
  ROOT,
} from './containerfile.ts'
import { contextFiles } from './image.ts'
import { packageVersion, settingNames } from './manifests.ts'

describe('deploy/container/Containerfile', () => {
  const stages = readContainerfile()
  const [build] = stages
  const image = stages.at(-1)

  test('every base image is pinned by a tag, and is the same', () => {
    for (const { base } of stages) expect(base).toMatch(/^[a-z./-]+:\d[\w.-]+$/)
    expect(new Set(stages.map(({ base }) => base)).size).toBe(1)
  })

  test('the image is not root, runs without a shell, and stops at SIGTERM', () => {
    expect(restOf(image, 'USER')).toEqual(['65534:65534'])
    expect(parseCommand(restOf(image, 'ENTRYPOINT')[0])).toEqual(['countersign'])
    expect(parseCommand(restOf(image, 'CMD')[0])).toEqual(['start'])
    expect(restOf(image, 'STOPSIGNAL')).toEqual(['SIGTERM'])
    const check = restOf(image, 'HEALTHCHECK')[0] ?? ''
    expect(parseCommand(check.replace(/^.*?CMD /, ''))[0]).toBe('node')
  })

  test('USER stands after everything that needs root', () => {
    const words = (image?.steps ?? []).map(({ word }) => word)
    const after = words.slice(words.indexOf('USER'))
    expect(after.filter((word) => word === 'RUN' || word === 'COPY')).toEqual([])
  })

  test('nothing is fetched but by npm ci, and no script of a package runs', () => {
    const commands = stages.flatMap((stage) => restOf(stage, 'RUN')).join('\n')
    expect(commands).not.toMatch(/\b(?:curl|wget|apt-get|apk|npm i|npm install|npx|sudo)\b/)
    expect(commands).toContain('npm ci --ignore-scripts')
    expect(stages.flatMap((stage) => restOf(stage, 'ADD'))).toEqual([])
  })

  test('only the built folder reaches the image', () => {
    expect(restOf(image, 'COPY')).toEqual(['--from=build /app /app'])
    expect(build?.name).toBe('build')
  })

  test('has the labels of OCI', () => {
    const labels = parsePairs(restOf(image, 'LABEL'))
    const label = (name: string): string | undefined => labels[`org.opencontainers.image.${name}`]
    expect(label('version')).toBe(packageVersion())
    expect(label('licenses')).toBe('MIT')
    expect(label('base.name')).toBe(image?.base)
    for (const name of ['title', 'description', 'revision']) expect(label(name)).not.toBe('')
  })

  test('sets only settings that exist, and no secret', () => {
    const names = Object.keys(parsePairs(restOf(image, 'ENV')))
    const others = new Set(['NODE_ENV', 'SQLITE_TMPDIR'])
    expect(names.filter((name) => !others.has(name) && !settingNames().has(name))).toEqual([])
    expect(names.filter((name) => /SECRET|PASSWORD|URL/.test(name))).toEqual([])
  })

  test('the volume is the data directory', () => {
    const { COUNTERSIGN_DATA_DIR: folder } = parsePairs(restOf(image, 'ENV'))
    expect(restOf(image, 'VOLUME')).toEqual([folder])
  })
})

test('a line that is no instruction is reported', () => {
  expect(() => parseContainerfile('FROM a:1\nrun x\n')).toThrow('Not an instruction: run x')
  expect(() => parseContainerfile('RUN x\n')).toThrow('RUN stands before FROM')
})

describe('.containerignore', () => {
  const sent = contextFiles()

  test('lets through what the build reads', () => {
    for (const file of [
      'package-lock.json',
      'tsconfig.cjs.json',
      'packages/server/src/index.ts',
      'packages/server/bin/countersign.cjs',
      'packages/jwt/README.md',
      'scripts/lib/production-lock.ts',
      'examples/vue/package.json',
      'deploy/container/healthcheck.cjs',
    ]) {
      expect(sent).toContain(file)
    }
  })

  test('keeps everything else away', () => {
    expect(
      sent.filter((file) => /^(?:\.git|\.ci|docs|tests|bench|deploy\/(?!container))/.test(file)),
    ).toEqual([])
    expect(sent.filter((file) => /\/test\/|\.env|\.db|\.pem$|secret$/.test(file))).toEqual([])
  })

  test('is the .dockerignore, too', () => {
    expect(lstatSync(join(ROOT, '.dockerignore')).isSymbolicLink()).toBe(true)
    const [docker, podman] = ['.dockerignore', '.containerignore'].map((file) =>
      readFileSync(join(ROOT, file), 'utf8'),
    )
    expect(docker).toBe(podman)
  })
})
