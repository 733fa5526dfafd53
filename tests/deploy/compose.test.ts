import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { readCompose, type ComposeService } from './compose.ts'
import { ROOT } from './containerfile.ts'
import { packageVersion, settingNames } from './manifests.ts'

const FOLDER = join(ROOT, 'deploy/compose')

describe('deploy/compose/compose.yaml', () => {
  const compose = readCompose()
  const { services } = compose
  const all = Object.entries(services)

  test('has two nodes, PostgreSQL, Redis and nginx', () => {
    expect(Object.keys(services)).toEqual([
      'migrate',
      'authority-1',
      'authority-2',
      'postgres',
      'redis',
      'nginx',
    ])
  })

  test.each(all)('%s has no rights, and cannot change its program', (_, service) => {
    expect(service.read_only).toBe(true)
    expect(service.cap_drop).toEqual(['ALL'])
    expect(service).not.toHaveProperty('cap_add')
    expect(service).not.toHaveProperty('privileged')
    expect(service.security_opt).toEqual(['no-new-privileges:true'])
    // Our own image has its user in the Containerfile.
    if (service.build === undefined) expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  })

  test.each(all)('%s is pinned by a tag, and is restarted and checked', (name, service) => {
    expect(service.image).toMatch(/^[a-z]+:\d[\w.-]+$/)
    if (name === 'migrate') {
      expect(service).toMatchObject({ restart: 'no', healthcheck: { disable: true } })
    } else {
      expect(service.restart).toBe('unless-stopped')
      expect(service.healthcheck?.test?.[0]).toMatch(/^CMD(?:-SHELL)?$/)
    }
  })

  test.each(all)('%s waits until what it needs works', (_, { depends_on: needs = {} }) => {
    for (const [name, { condition }] of Object.entries(needs)) {
      expect(services).toHaveProperty(name)
      expect(condition).toBe(
        name === 'migrate' ? 'service_completed_successfully' : 'service_healthy',
      )
    }
  })

  test('nodes start after the migration, and nginx after the nodes', () => {
    const needsOf = (name: string): string[] => Object.keys(services[name]?.depends_on ?? {})
    for (const node of ['authority-1', 'authority-2']) {
      expect(needsOf(node)).toEqual(['migrate', 'postgres', 'redis'])
    }
    expect(needsOf('migrate')).toEqual(['postgres'])
    expect(needsOf('nginx')).toEqual(['authority-1', 'authority-2'])
  })

  test('secrets are files, and each one is declared and used', () => {
    const used = all.flatMap(([, { secrets = [] }]) =>
      secrets.map((secret) => (typeof secret === 'string' ? secret : secret.source)),
    )
    expect(new Set(used)).toEqual(new Set(Object.keys(compose.secrets)))
    const made = readFileSync(join(FOLDER, 'make-secrets.sh'), 'utf8')
    for (const { file } of Object.values(compose.secrets)) {
      expect(made).toContain(file.replace('./secrets/', ''))
    }
    const values = all.flatMap(([, { environment = {} }]) => Object.entries(environment))
    const bare = values.filter(([name]) => /SECRET|PASSWORD/.test(name) && !name.endsWith('_FILE'))
    expect(bare).toEqual([])
  })

  test('sets only settings that exist', () => {
    const nodes = all.filter(([name]) => /^(?:migrate|authority)/.test(name))
    const names = nodes.flatMap(([, { environment = {} }]) => Object.keys(environment))
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => !settingNames().has(name))).toEqual([])
  })

  test('nodes have time to drain', () => {
    const nodes = [services['authority-1'], services['authority-2']] as ComposeService[]
    for (const { stop_grace_period: grace = '' } of nodes) {
      expect(Number.parseInt(grace, 10)).toBeGreaterThan(26)
    }
  })

  test('only nginx has ports of this machine, and nodes trust its address', () => {
    const open = all.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)
    expect(open).toEqual(['nginx'])
    const { networks } = services['nginx'] ?? {}
    const address = (networks as Record<string, { ipv4_address?: string }>)['edge']?.ipv4_address
    expect(services['authority-1']?.environment?.['COUNTERSIGN_TRUSTED_PROXIES']).toBe(address)
    expect(compose.networks['data']).toEqual({ internal: true })
  })

  test('its files exist', () => {
    const mounts = all.flatMap(([, { volumes = [] }]) =>
      volumes.map((text) => text.split(':')[0] ?? ''),
    )
    for (const mount of mounts) {
      const exists = mount.startsWith('.')
        ? existsSync(join(FOLDER, mount))
        : mount in compose.volumes
      expect([mount, exists]).toEqual([mount, true])
    }
    const { build, image } = services['authority-1'] ?? {}
    expect(existsSync(join(FOLDER, build?.context ?? '', build?.dockerfile ?? ''))).toBe(true)
    expect(image).toBe(`countersign:${packageVersion()}`)
  })

  test('nginx gets the same upstreams, under the names of the services', () => {
    const read = (file: string): string[] =>
      readFileSync(join(ROOT, 'deploy', file), 'utf8')
        .split('\n')
        .filter((line) => !line.trim().startsWith('#'))
    const [plain, ours] = [read('nginx/upstreams.conf'), read('compose/upstreams.conf')]
    expect(ours.filter((line) => line.includes('authority-')).map((line) => line.trim())).toEqual([
      'server authority-1:8000 max_fails=0;',
      'server authority-2:8000 max_fails=0;',
    ])
    const names = (lines: string[]) => lines.filter((line) => line.startsWith('upstream'))
    expect(names(ours)).toEqual(names(plain))
  })
})
