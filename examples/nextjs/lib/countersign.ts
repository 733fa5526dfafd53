import { createCountersign } from '@countersign/client/next'

const { AUTHORITY = 'http://localhost:8000', AUTHORITY_INTERNAL = AUTHORITY } = process.env

export const countersign = createCountersign({
  authority: AUTHORITY,
  internalUrl: AUTHORITY_INTERNAL,
})
