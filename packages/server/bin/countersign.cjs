#!/usr/bin/env node
// CommonJS, and nothing imported before the check: on an older Node the first import would fail with
// an error that says nothing about Node.
'use strict'

const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    `Countersign needs Node.js 24 or newer; this is ${process.versions.node}. Install it from nodejs.org, or run it through npm in a project that has it: npm install node@24\n`,
  )
  process.exit(1)
}
// By default, Node opens a debugger at SIGUSR1. It could read every secret of a production server.
if (process.env.NODE_ENV === 'production') process.on('SIGUSR1', () => {})
// Compiled code is kept beside the code itself: it halves the time to the first answer. Node runs what it finds
// there, so the folder must be private. Otherwise nothing is kept.
const { enableCompileCache, registerHooks } = require('node:module')
const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const cache = path.join(__dirname, '..', '.compile-cache')
if (isPrivateFolder(cache)) enableCompileCache(cache)

// Our own files, and those of zod and hono, name each other in full. For each of 400 imports, Node would look for the
// nearest package.json and for symbolic links, which takes a third of the time to start. The compiled guard and JWT core
// are CommonJS and few files, so Node resolves those.
const own = ['../src', '../dist', '../../guard/src', '../../jwt/src'].map(
  (folder) => `${pathToFileURL(path.join(__dirname, folder)).href}/`,
)
const isOwn = (url) => own.some((folder) => url.startsWith(folder))
const formats = { ts: 'module-typescript', js: 'module' }
// A package has the same files for each of ours that imports it.
const packages = new Map()
registerHooks({
  resolve(specifier, context, next) {
    const { parentURL = '', conditions } = context
    if (!conditions.includes('import')) return next(specifier, context)
    const isOurs = isOwn(parentURL)
    const extension = /^\.\.?\/.*\.([jt]s)$/.exec(specifier)?.[1]
    if (extension !== undefined && (isOurs || /\/node_modules\/(zod|hono)\//.test(parentURL))) {
      const { href } = new URL(specifier, parentURL)
      return { url: href, format: formats[extension], shortCircuit: true }
    }
    if (!isOurs || !/^[@a-z]/.test(specifier)) return next(specifier, context)
    let found = packages.get(specifier)
    if (found === undefined) {
      found = { ...next(specifier, context), shortCircuit: true }
      packages.set(specifier, found)
    }
    return found
  },
})

// zod loads its error texts in 50 languages, which takes a sixth of the time to start, and no part of Countersign uses
// them. Each becomes a function that loads its language at the first call, for a configuration file that uses one.
const hooks = registerHooks({
  load(url, context, next) {
    if (!url.endsWith('/zod/v4/locales/index.js')) return next(url, context)
    hooks.deregister()
    const source = loadAtFirstCall(fs.readFileSync(new URL(url), 'utf8'))
    return { format: 'module', shortCircuit: true, source }
  },
})

function loadAtFirstCall(source) {
  const names = source.matchAll(/^export \{ default as (\w+) \} from "\.\/([\w-]+)\.js";$/gm)
  const lines = Array.from(
    names,
    ([, name, file]) => `export const ${name} = (...args) => load('./${file}.cjs')(...args)`,
  )
  return `import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\n${lines.join('\n')}`
}

function isPrivateFolder(folder) {
  try {
    if (process.getuid === undefined) return true // Windows has no modes.
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (isPrivate(folder)) return true
    // One of our own that was open to others: somebody may have written into it.
    if (fs.lstatSync(folder).uid !== process.getuid()) return false
    fs.rmSync(folder, { recursive: true })
    fs.mkdirSync(folder, { mode: 0o700 })
    return isPrivate(folder)
  } catch {
    return false // The folder of the package cannot be written.
  }
}

/** Not through a symbolic link, which could lead to a folder of somebody else. */
function isPrivate(folder) {
  const found = fs.lstatSync(folder)
  return found.isDirectory() && found.uid === process.getuid() && (found.mode & 0o077) === 0
}

void import('#cli').then(({ main }) => main(process.argv.slice(2)))
