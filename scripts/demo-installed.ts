import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { runDemo } from './lib/demo.ts'
import { announceInstall, mayInstall } from './lib/installs.ts'
import { packAll } from './pack.ts'

/**
 * Runs the demo with packed packages, installed in an empty project as users install them. The guard runs on
 * the oldest Node that it supports, and the server on Node 24.
 */

const NODE_OF_GUARD = '20.20.2'

const root = resolve(import.meta.dirname, '..')
const { dependencies } = JSON.parse(
  readFileSync(join(root, 'examples/express-api/package.json'), 'utf8'),
) as { dependencies: Record<string, string> }

if (mayInstall) await runInstalled()
else process.stdout.write('NOT RUN: it installs packages from npm, and TESTS_INSTALL=off.\n')

async function runInstalled(): Promise<void> {
  const tarballs = packAll()
  const project = mkdtempSync(join(tmpdir(), 'countersign-installed-'))
  try {
    writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    install(project, [
      ...tarballs.map(({ path }) => path),
      `express@${dependencies['express']}`,
      `node-linux-${process.arch}@${NODE_OF_GUARD}`,
    ])
    const example = readFileSync(join(root, 'examples/express-api/server.ts'), 'utf8')
    writeFileSync(join(project, 'server.js'), stripTypeScriptTypes(example))
    await runDemo({
      authority: {
        command: [process.execPath, join(project, 'node_modules/countersign/bin/countersign.cjs')],
        cwd: project,
      },
      api: {
        command: [
          join(project, `node_modules/node-linux-${process.arch}/bin/node`),
          join(project, 'server.js'),
        ],
        cwd: project,
      },
    })
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}

function install(folder: string, packages: readonly string[]): void {
  announceInstall(`the packed packages and Node ${NODE_OF_GUARD} in ${folder}`)
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], {
    cwd: folder,
    stdio: 'inherit',
    // A dependency of swagger-ui-dist would report the installation.
    env: { ...process.env, SCARF_ANALYTICS: 'false' },
  })
}
