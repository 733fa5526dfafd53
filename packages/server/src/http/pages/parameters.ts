import { z } from 'zod'

/** The parameter of every page for its language. */
export const lang = z
  .string()
  .optional()
  .meta({ description: 'The language: `en` or `de`. Without it, that of the browser.' })

/** The parameter and field for the address to which people go in the end. */
export const returnTo = z.string().optional().meta({
  description:
    'Where the person goes in the end: a path of this server, or a URL of an origin in `COUNTERSIGN_ORIGINS`. Any other value is ignored.',
})
