import { rolldown } from 'rolldown'

/**
 * Bundles a module with its imports, except `external` ones, into one minified script. What it would load later is in
 * it, too.
 */
export async function bundle(
  entry: string,
  external: readonly (string | RegExp)[] = [],
): Promise<string> {
  await using build = await rolldown({ input: entry, external: [...external] })
  const { output } = await build.generate({ format: 'es', minify: true, codeSplitting: false })
  if (output.length !== 1) throw new Error(`${entry} was not bundled into one file`)
  return output[0].code
}
