// The first file of the database thread. CommonJS, because a thread does not inherit the compile cache of its process:
// as TypeScript, this file alone would load the compiler, which takes 0.1 s and 20 MB.
'use strict'

const { enableCompileCache } = require('node:module')
const { parentPort, workerData } = require('node:worker_threads')

if (workerData.compileCache !== undefined) enableCompileCache(workerData.compileCache)
void import(workerData.host).then(({ serveStore }) => parentPort.on('message', serveStore))
