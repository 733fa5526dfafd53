import { z } from 'zod'

/**
 * A text that is not empty and is valid Unicode, because a lone surrogate cannot be stored. The text is not
 * trimmed or changed. The size of the body limits its length.
 */
export function sentText(): z.ZodType<string, string> {
  return z
    .string()
    .min(1)
    .refine((text) => text.isWellFormed())
}
