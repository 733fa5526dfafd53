import { z } from 'zod'

import { messageOf } from '../base/faults.ts'
import { PRESETS, type PresetName } from './presets.ts'

/** Made when the file is read: most servers have none. */
function fileSchema() {
  const text = z.string().min(1).max(4_096)
  const entry = z.strictObject({
    preset: z.enum(Object.keys(PRESETS) as [PresetName, ...PresetName[]]).optional(),
    name: text.optional(),
    title: text.max(60).optional(),
    issuer: text.optional(),
    clientId: text,
    clientSecret: text.optional(),
    clientSecretFile: text.optional(),
    apple: z.strictObject({ teamId: text, keyId: text, keyFile: text }).optional(),
    scopes: z.array(text).min(1).max(50).optional(),
    trustEmail: z.boolean().optional(),
    endpoints: z
      .strictObject({ authorization: text, token: text, profile: text, emails: text.optional() })
      .optional(),
    roles: z
      .strictObject({ claim: text, map: z.record(z.string(), z.array(text).max(64)) })
      .optional(),
  })
  return z.array(entry).max(50)
}

/** One provider of the file. */
export type FileEntry = z.output<ReturnType<typeof fileSchema>>[number]

/** Reads the text of `COUNTERSIGN_UPSTREAMS_FILE`. Returns what is wrong with it, without a value of the file. */
export function readProviderFile(
  json: string,
): { readonly ok: true; readonly entries: readonly FileEntry[] } | { readonly problem: string } {
  const value = parse(json)
  if ('problem' in value) return value
  const read = fileSchema().safeParse(value.json)
  if (read.success) return { ok: true, entries: read.data }
  const [issue] = read.error.issues
  const [at, ...member] = issue?.path ?? []
  const where = at === undefined ? 'the file' : `entry ${Number(at) + 1}`
  const keys = issue?.code === 'unrecognized_keys' ? issue.keys : member
  return {
    problem: `${where} is not valid${keys.length === 0 ? '' : `: ${keys.join('.')}`}. The file is a list of providers: see docs/social-login.md`,
  }
}

function parse(json: string): { readonly json: unknown } | { readonly problem: string } {
  try {
    return { json: JSON.parse(json) as unknown }
  } catch (error) {
    // The message of V8 quotes the text around the mistake, which can be a secret.
    const at = /position \d+/.exec(messageOf(error))?.[0]
    return { problem: `the file is not JSON${at === undefined ? '' : ` at ${at}`}` }
  }
}
