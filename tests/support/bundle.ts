import { rolldown } from 'rolldown'

/** Bundles a module with all its imports into one minified script, as the build of an application does. */
export async function bundle(entry: string): Promise<string> {
  await using build = await rolldown({ input: entry })
  const { output } = await build.generate({ format: 'es', minify: true })
  if (output.length !== 1) throw new Error(`${entry} was not bundled into one file`)
  return output[0].code
}
