/** The part of a package's manifest that changes when the package is published. */
export interface SourceManifest {
  readonly private?: boolean
  readonly devDependencies?: object
  /** The TypeScript source of each entry, such as `./express`. */
  readonly exports: Readonly<Record<string, string>>
  readonly imports?: Readonly<Record<string, string>>
}

/** The module system of the published JavaScript. */
type Format = 'commonjs' | 'module'

/** Returns the manifest of the sources, changed to point at the compiled files. */
export function publishedManifest(source: SourceManifest, format: Format): object {
  const { private: _, devDependencies: __, exports: entries, imports, ...rest } = source
  const main = entries['.'] ?? ''
  return {
    ...rest,
    type: format,
    files: ['dist', 'bin'],
    // `main`, `types` and `typesVersions` are for programs that do not read `exports`: TypeScript with the
    // module resolution `node` (or `node10`).
    main: toDist(main, '.js'),
    types: toDist(main, '.d.ts'),
    ...typesVersions(entries),
    exports: {
      ...mapValues(entries, (file) => (format === 'commonjs' ? bothOf(file) : moduleOf(file))),
      './package.json': './package.json',
    },
    ...(imports === undefined
      ? {}
      : { imports: mapValues(imports, (file) => toDist(file, '.js')) }),
  }
}

/** Returns the path of a compiled file, such as `./dist/index.js` for `./src/index.ts`. */
export function toDist(source: string, extension: string): string {
  return source.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, extension)
}

function moduleOf(file: string): object {
  return { types: toDist(file, '.d.ts'), default: toDist(file, '.js') }
}

function bothOf(file: string): object {
  return {
    import: { types: toDist(file, '.d.mts'), default: toDist(file, '.mjs') },
    default: moduleOf(file),
  }
}

function typesVersions(entries: SourceManifest['exports']): object {
  const paths = Object.entries(entries).flatMap(([entry, file]) =>
    entry === '.' ? [] : [[entry.slice('./'.length), [toDist(file, '.d.ts')]]],
  )
  return paths.length === 0 ? {} : { typesVersions: { '*': Object.fromEntries(paths) } }
}

function mapValues<Value>(
  object: Readonly<Record<string, string>>,
  map: (value: string) => Value,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}
