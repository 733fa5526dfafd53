import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join, resolve } from 'node:path'

import { report, round, type Row } from './lib/report.ts'
import { compileLibraries, LIBRARIES_OUT } from '../scripts/lib/build.ts'
import { fetchNode } from '../scripts/lib/nodes.ts'

/**
 * Signs and verifies an access token with ten claims. Compares this package with fast-jwt, jose, jsonwebtoken
 * and the bare call of node:crypto on the same bytes. All take turns in one process, on each of three Node
 * versions.
 */

const NODES = ['20.20.2', '24.21.0', '26.10.0']

/**
 * One library: operations per second, half the distance of the quartiles, and our rate divided by its rate.
 */
interface Rate {
  readonly rate: number
  readonly spread: number
  readonly ratio: number
}

interface Cell {
  readonly alg: string
  readonly what: string
  readonly ours: Rate
  readonly [library: string]: Rate | string
}

const root = resolve(import.meta.dirname, '..')
compileLibraries()
const worker = join(root, 'build/bench/jwt-worker.mjs')
mkdirSync(join(root, 'build/bench'), { recursive: true })
const source = readFileSync(join(root, 'bench/lib/jwt-worker.ts'), 'utf8')
writeFileSync(worker, stripTypeScriptTypes(source))

const rows: Row[] = []
let own: readonly Cell[] = []
for (const version of process.argv.includes('--quick') ? [process.versions.node] : NODES) {
  const isOwn = version === process.versions.node
  const node = isOwn ? process.execPath : fetchNode(version)
  const cells = JSON.parse(
    execFileSync(node, [worker, join(LIBRARIES_OUT, 'jwt/src/index.js')], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 20,
    }),
  ) as Cell[]
  if (isOwn) own = cells
  rows.push(...cells.map((cell) => toRow(version, cell)))
}
report('jwt', rows, figuresOf(own))

function toRow(node: string, cell: Cell): Row {
  const { alg, what, ...libraries } = cell
  const rates = Object.entries(libraries).map(([name, each]) => [
    name,
    Math.round(asRate(each).rate),
  ])
  return {
    node,
    alg,
    what,
    ...Object.fromEntries(rates),
    spread: round(cell.ours.spread),
    of_raw: ratio(cell, 'raw'),
    of_fast_jwt: ratio(cell, 'fast_jwt'),
    ...(cell['fast_jwt_identity'] === undefined
      ? undefined
      : { of_fast_jwt_identity: ratio(cell, 'fast_jwt_identity') }),
  }
}

function asRate(each: Rate | string): Rate {
  if (typeof each === 'string') throw new TypeError('a rate was expected')
  return each
}

/** Returns the median over all rounds of our rate divided by the library's rate. */
function ratio(cell: Cell, library: string): number | string {
  const other = cell[library]
  return other === undefined ? '' : round(asRate(other).ratio)
}

function figuresOf(cells: readonly Cell[]): Record<string, number> {
  const of = (alg: string, what: string, library: string): number => {
    const cell = cells.find((each) => each.alg === alg && each.what === what)
    return cell === undefined ? Number.NaN : Number(ratio(cell, library))
  }
  const cached = cells.find((each) => each.what === 'cached verify')
  return {
    jwt_hs256_verify_vs_fastjwt: of('HS256', 'verify', 'fast_jwt'),
    jwt_hs256_sign_vs_fastjwt: of('HS256', 'sign', 'fast_jwt'),
    jwt_rs256_verify_of_raw: of('RS256', 'verify', 'raw'),
    jwt_ps256_verify_of_raw: of('PS256', 'verify', 'raw'),
    jwt_es256_verify_of_raw: of('ES256', 'verify', 'raw'),
    jwt_ed25519_verify_of_raw: of('Ed25519', 'verify', 'raw'),
    jwt_es256_sign_of_raw: of('ES256', 'sign', 'raw'),
    jwt_cached_vs_fastjwt: of('HS256', 'cached verify', 'fast_jwt'),
    jwt_cached_per_second: Math.round(cached?.ours.rate ?? Number.NaN),
    jwt_lowest_vs_fastjwt: Math.min(
      ...cells
        .flatMap((cell) => [ratio(cell, 'fast_jwt'), ratio(cell, 'fast_jwt_identity')])
        .filter((each) => typeof each === 'number'),
    ),
  }
}
