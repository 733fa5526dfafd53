import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

// Passed with `--import`: writes the URL of each module that the process loads to the file LOADED_MODULES, in order.

const file = process.env['LOADED_MODULES'] ?? ''

registerHooks({
  load(url, context, next) {
    appendFileSync(file, `${url}\n`)
    return next(url, context)
  },
})
