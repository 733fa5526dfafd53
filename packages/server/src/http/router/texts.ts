import { z } from 'zod'

/**
 * A text that is not empty and is valid Unicode: a lone surrogate cannot be stored. Texts are taken
 * exactly as they were sent. The size of the body limits their length.
 */
export function sentText(): z.ZodType<string, string> {
  return z
    .string()
    .min(1)
    .refine((text) => text.isWellFormed())
}
