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
// Compiled code is kept beside the code itself, where only who may change the one may change the other:
// it halves the time to the first answer. Where the folder cannot be written, nothing is kept.
const { enableCompileCache } = require('node:module')
const path = require('node:path')
enableCompileCache(path.join(__dirname, '..', '.compile-cache'))

void import('#cli').then(({ main }) => main(process.argv.slice(2)))
