import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseSync, Visitor, type EcmaScriptModule } from 'oxc-parser'

/** A TypeScript file, parsed as far as the checks of `npm run check` need it. */
export interface SourceFile {
  /** The path, relative to the folder that was searched. */
  readonly file: string
  readonly text: string
  /**
   * The imported modules, each once, from `import`, `import type`, `export from`, `import()` and
   * `import('...').Type`.
   */
  readonly imports: readonly string[]
  /** The exported declarations, without `export { ... }` and `export ... from`. */
  readonly declared: readonly DeclaredExport[]
}

/** An exported declaration. */
export interface DeclaredExport {
  readonly name: string
  readonly line: number
  /** The docstring, from the slash before it to the slash after it. */
  readonly docstring: string | undefined
}

/** Parses all TypeScript files below a folder. Throws for a file that has a syntax error. */
export function readSources(folder: string): readonly SourceFile[] {
  return globSync('**/*.ts', { cwd: folder })
    .toSorted()
    .map((file) => parseSource(file, readFileSync(join(folder, file), 'utf8')))
}

function parseSource(file: string, text: string): SourceFile {
  const parsed = parseSync(file, text)
  const [error] = parsed.errors
  if (error !== undefined) throw new Error(`${file}: ${error.message}`)
  const imports = new Set(listStaticImports(parsed.module))
  for (const { moduleRequest } of parsed.module.dynamicImports) {
    const target = /^['"](.+)['"]$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[1]
    if (target !== undefined) imports.add(target)
  }
  // Only the syntax tree shows `import('...').Type`, and building it takes most of the time.
  if (/\bimport\s*\(/.test(text)) {
    new Visitor({
      TSImportType: ({ source }) => void imports.add(source.value),
    }).visit(parsed.program)
  }
  return { file, text, imports: [...imports], declared: listDeclared(parsed.module, text, parsed) }
}

function listStaticImports({ staticImports, staticExports }: EcmaScriptModule): string[] {
  const reexports = staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => (moduleRequest === null ? [] : [moduleRequest.value])),
  )
  return [...staticImports.map(({ moduleRequest }) => moduleRequest.value), ...reexports]
}

function listDeclared(
  { staticExports }: EcmaScriptModule,
  text: string,
  { comments }: Pick<ReturnType<typeof parseSync>, 'comments'>,
): DeclaredExport[] {
  const named = staticExports.filter(
    ({ start }) => !/^export\s+(?:type\s+)?[{*]/.test(text.slice(start)),
  )
  return named.flatMap(({ start, entries }) => {
    const comment = comments.findLast(({ end }) => end <= start)
    const isBefore = comment !== undefined && text.slice(comment.end, start).trim() === ''
    const isDocstring = isBefore && comment.type === 'Block' && comment.value.startsWith('*')
    const docstring = isDocstring ? text.slice(comment.start, comment.end) : undefined
    const line = text.slice(0, start).split('\n').length
    return entries.map(({ exportName }) => ({
      name: exportName.name ?? 'default',
      line,
      docstring,
    }))
  })
}
