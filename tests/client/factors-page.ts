// The page of slow-factors.test.ts: the client and its functions for factors, as one module.
export { createClient } from '../../packages/client/src/index.ts'
export { createFactors, hasPasskeyAutofill } from '../../packages/client/src/factors.ts'
