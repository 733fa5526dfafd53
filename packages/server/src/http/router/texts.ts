import { z } from 'zod'

/**
 * A text that is not empty and is valid Unicode: a lone surrogate cannot be stored. Texts are taken
 * exactly as they were sent. The length is limited by the body.
 */
export function sentText(description: string): z.ZodType<string, string> {
  return z
    .string()
    .min(1)
    .refine((text) => text.isWellFormed())
    .meta({ description })
}
