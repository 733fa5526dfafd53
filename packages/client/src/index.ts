export { createClient } from './client.ts'
export { ClientError } from './error.ts'
export type {
  Client,
  ClientOptions,
  Credentials,
  Prepared,
  Session,
  TokenStorage,
} from './types.ts'
