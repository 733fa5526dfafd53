import { z } from 'zod'

import type { ApiRoute } from '../router/define.ts'

/**
 * Describes the login of SimpleJWT with another name of the username field, as a Django site with
 * `USERNAME_FIELD = 'email'` has it. Other rows stay as they are.
 */
export function nameUsernameField(row: ApiRoute, field: string): ApiRoute {
  const { id, body } = row
  if (id !== 'obtainTokens' || body === undefined || field === 'username') return row
  return {
    ...row,
    body: {
      ...body,
      schema: () => renameMember(body.schema(), field),
      example: { [field]: 'alice@example.com', password: body.example['password'] },
    },
  }
}

function renameMember(schema: z.ZodType, field: string): z.ZodType {
  if (!(schema instanceof z.ZodObject))
    throw new TypeError('The body of a login must be an object.')
  const { username, ...others } = schema.shape
  return z.object({ [field]: username, ...others })
}
