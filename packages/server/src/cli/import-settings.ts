import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * Imports a configuration file and returns its default export. The file can be an ES module in a CommonJS
 * package: many applications have a package.json with `"type": "commonjs"`, or without a type.
 */
export async function importSettings(path: string): Promise<unknown> {
  const { href } = pathToFileURL(path)
  const isCommonJs = /\bmodule\.exports\b|\bexports\.\w/.test(readFileSync(path, 'utf8'))
  const format = path.endsWith('.ts') ? 'module-typescript' : 'module'
  const hooks = registerHooks({
    load: (url, context, next) =>
      next(url, url === href && !isCommonJs ? { ...context, format } : context),
  })
  try {
    const module: unknown = await import(href)
    const exported = defaultOf(module)
    // A compiler that writes CommonJS puts the default export into a member of `module.exports`.
    return isCommonJs ? (defaultOf(exported) ?? exported) : exported
  } finally {
    hooks.deregister()
  }
}

function defaultOf(module: unknown): unknown {
  return typeof module === 'object' && module !== null && 'default' in module
    ? module.default
    : undefined
}
