import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

import { readContainerfile, restOf, ROOT } from './containerfile.ts'
import {
  deploymentOf,
  findMistakes,
  onlyOf,
  packageVersion,
  readObjects,
  settingNames,
} from './manifests.ts'

const CHART = join(ROOT, 'deploy/helm/countersign')
const files = ['namespace.yaml', 'countersign.yaml', 'autoscaler.yaml']
const objects = files.flatMap((file) => readObjects(file))

/** How long the server takes at most from SIGTERM to its end, by docs/operations/production.md. */
const DRAIN_SEC = 26

describe('deploy/kubernetes', () => {
  test('has the types of Kubernetes', () => {
    expect(findMistakes(objects)).toEqual([])
  })

  test('the check of types finds an unknown, a missing and a wrong member', () => {
    const metadata = { name: 'a' }
    const port = { port: 'x', protocol: 'TCP' }
    const wrong = [
      { apiVersion: 'v1', kind: 'Service', metadata, spec: { portz: [] } },
      { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [port] } },
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 1 } },
    ]
    const text = findMistakes(wrong).join('\n')
    expect(text).toContain(`'"portz"' does not exist`)
    expect(text).toContain("Type 'string' is not assignable to type 'number'")
    expect(text).toMatch(/missing the following properties.*: "selector", "template"/)
  })

  const { spec } = deploymentOf(objects)
  const pod = spec?.template.spec
  const containers = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]

  test('an update takes no node away before the next one is ready', () => {
    expect(spec?.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
    })
    expect(onlyOf(objects, 'PodDisruptionBudget')['spec']).toMatchObject({
      maxUnavailable: 1,
      selector: spec?.selector,
    })
  })

  test('a pod has time to drain', () => {
    const [server] = pod?.containers ?? []
    const pause = server?.lifecycle?.preStop?.sleep?.seconds ?? 0
    expect(pause).toBeGreaterThan(0)
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan(pause + DRAIN_SEC)
  })

  test('only readiness asks for the database', () => {
    const [server] = pod?.containers ?? []
    const path = (probe: 'startupProbe' | 'readinessProbe' | 'livenessProbe') =>
      server?.[probe]?.httpGet?.path
    expect(path('startupProbe')).toBe('/healthz')
    expect(path('readinessProbe')).toBe('/readyz')
    expect(path('livenessProbe')).toBe('/healthz')
    expect(server?.ports?.map(({ containerPort }) => containerPort)).toEqual([
      Number(restOf(readContainerfile().at(-1), 'EXPOSE')[0]),
    ])
  })

  test('a pod is the user of the image, and has no rights', () => {
    const [uid, gid] = (restOf(readContainerfile().at(-1), 'USER')[0] ?? '').split(':').map(Number)
    expect(pod?.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: gid,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
    expect(onlyOf(objects, 'ServiceAccount')['automountServiceAccountToken']).toBe(false)
    expect(containers).toHaveLength(2)
    for (const { securityContext, resources } of containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(resources?.requests).toHaveProperty('memory')
      expect(resources?.limits).toHaveProperty('memory')
    }
  })

  test('the secret is a file that others cannot read, and no value is in the manifest', () => {
    const secret = pod?.volumes?.find(({ name }) => name === 'secret')?.secret
    expect((secret?.defaultMode ?? 0o777) & 0o007).toBe(0)
    for (const { env, volumeMounts } of containers) {
      const file = env?.find(({ name }) => name === 'COUNTERSIGN_SECRET_FILE')?.value ?? ''
      const mount = volumeMounts?.find(({ name }) => name === 'secret')
      expect(file.startsWith(`${mount?.mountPath}/`)).toBe(true)
      expect(mount?.readOnly).toBe(true)
      expect(env?.find(({ name }) => name === 'DATABASE_URL')).not.toHaveProperty('value')
    }
  })

  test('sets only settings that exist', () => {
    const names = containers.flatMap(({ env }) => env?.map(({ name }) => name) ?? [])
    expect(names.filter((name) => !settingNames().has(name))).toEqual([])
  })

  test('the schema is up to date before the server starts', () => {
    expect(pod?.initContainers?.map(({ args }) => args)).toEqual([['migrate']])
    expect(pod?.containers.map(({ args }) => args)).toEqual([['start']])
  })

  test('nodes are spread, and only port 8000 is open', () => {
    const keys = pod?.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey)
    expect(keys).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname'])
    const policy = onlyOf(objects, 'NetworkPolicy')['spec'] as {
      policyTypes: string[]
      ingress: object[]
    }
    expect(policy.policyTypes).toEqual(['Ingress', 'Egress'])
    expect(policy.ingress).toMatchObject([{ ports: [{ port: 'http' }] }])
  })
})

describe('deploy/helm', () => {
  const read = (file: string): string => readFileSync(join(CHART, file), 'utf8')
  const values = parse(read('values.yaml')) as Record<string, unknown>
  const templates = globSync('templates/*', { cwd: CHART }).map((file) => read(file))

  test('templates use every value that values.yaml defines, and no other', () => {
    const used = new Set(
      templates.flatMap((text) =>
        [...text.matchAll(/\.Values\.([\w.]+)/g)].map(([, path = '']) => path),
      ),
    )
    const missing = [...used].filter((path) => lookUp(values, path) === undefined)
    expect(missing).toEqual([])
    const unused = pathsOf(values).filter(
      (path) => ![...used].some((other) => path === other || path.startsWith(`${other}.`)),
    )
    expect(unused).toEqual([])
  })

  test('values.schema.json knows the values of values.yaml', () => {
    const schema = JSON.parse(read('values.schema.json')) as Schema
    expect(
      Object.keys(schema.properties ?? {})
        .filter((name) => name !== 'global')
        .toSorted(),
    ).toEqual(Object.keys(values).toSorted())
    for (const [name, value] of Object.entries(values)) {
      const members = schema.properties?.[name]
      if (members?.properties === undefined) continue
      expect(Object.keys(members.properties).toSorted()).toEqual(
        Object.keys(value as object).toSorted(),
      )
      expect(members.additionalProperties).toBe(false)
    }
  })

  test('has the version of the packages', () => {
    const chart = parse(read('Chart.yaml')) as { version: string; appVersion: string }
    expect([chart.version, chart.appVersion]).toEqual([packageVersion(), packageVersion()])
  })
})

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean
}

function lookUp(values: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (value as Record<string, unknown> | undefined)?.[name],
      values,
    )
}

/** The paths of all values that are no objects with members. */
function pathsOf(values: object, prefix = ''): string[] {
  return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
    const isGroup = typeof value === 'object' && value !== null && Object.keys(value).length > 0
    return isGroup && !Array.isArray(value)
      ? pathsOf(value, `${prefix}${name}.`)
      : [`${prefix}${name}`]
  })
}
