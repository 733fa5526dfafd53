import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { fetchNode } from './lib/nodes.ts'
import { packAll } from './pack.ts'

/**
 * `npm run test:installed`: installs the packed packages in a project outside the repository, as users do, and
 * uses them there: with `require` and `import`, under Jest with CommonJS, in NestJS 10, and from TypeScript 5.4
 * and 7 with every module resolution. A stage of `npm run test:long`.
 */

const NODES = ['20.20.2', '22.23.3', '24.21.0', '26.10.0']

const CHECKED = ['--noEmit', '--strict', '--esModuleInterop', '--target', 'es2022']
const RESOLUTIONS = [
  ['typescript', 'commonjs', 'node'],
  ['typescript', 'node16', 'node16'],
  ['typescript', 'es2022', 'bundler'],
  ['typescript-7', 'nodenext', 'nodenext'],
  ['typescript-7', 'es2022', 'bundler'],
] as const

const root = resolve(import.meta.dirname, '..')
const tarballs = packAll().filter(({ name }) => name.startsWith('@countersign/'))
const project = mkdtempSync(join(tmpdir(), 'countersign-installed-'))
let failures = 0
try {
  cpSync(join(root, 'tests/installed/project'), project, { recursive: true })
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts']
  const paths = tarballs.map(({ path }) => path)
  execFileSync('npm', ['install', ...options, ...paths], { cwd: project, stdio: 'inherit' })

  for (const version of NODES) {
    const node = fetchNode(version)
    report(`require and import on Node ${version}`, run(node, ['doors.mjs']))
    report(`Jest on Node ${version}`, run(node, ['node_modules/jest/bin/jest.js']))
  }
  for (const [compiler, module, resolution] of RESOLUTIONS) {
    const tsc = `node_modules/${compiler}/bin/tsc`
    const types = ['--module', module, '--moduleResolution', resolution, '--types', 'node']
    const alone = compiler === 'typescript-7' ? ['--ignoreConfig'] : [] // others ignore it anyway
    const { output } = run(process.execPath, [tsc, ...CHECKED, ...types, ...alone, 'types.ts'])
    // Without skipLibCheck. Errors in the types of other packages are not ours.
    const ours = output.split('\n').filter((line) => /^types\.ts|^error|@countersign/.test(line))
    report(`${compiler}, moduleResolution ${resolution}`, {
      passed: ours.length === 0,
      output: ours.join('\n'),
    })
  }
  for (const { name, path } of tarballs) {
    const attw = 'node_modules/@arethetypeswrong/cli/dist/index.js'
    // The client is for bundlers and browsers, so it has no CommonJS.
    const profile = name === '@countersign/client' ? ['--profile', 'esm-only'] : []
    report(`types of ${name} (attw)`, run(process.execPath, [attw, path, '--no-emoji', ...profile]))
  }
} finally {
  rmSync(project, { recursive: true, force: true })
}
if (failures > 0) process.exitCode = 1

function run(program: string, args: readonly string[]): { passed: boolean; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: project, encoding: 'utf8' })
  return { passed: status === 0, output: `${stdout}${stderr}` }
}

function report(what: string, { passed, output }: { passed: boolean; output: string }): void {
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'}  ${what}\n`)
  if (passed) return
  failures += 1
  process.stdout.write(`${output}\n`)
}
