export { createClient } from './client.ts'
export { ClientError } from './error.ts'
export type {
  EnrolMethod,
  EnrolStep,
  FactorMethod,
  FactorOptions,
  MailedCode,
  NewTotp,
  PasskeyLoginOptions,
  SecondFactorStep,
  SignedIn,
  SignInStep,
  StepUpHandler,
  StepUpMethod,
  StepUpRequest,
} from './factors/types.ts'
export type { Session } from './session.ts'
export type {
  BoundFetch,
  Client,
  ClientOptions,
  Credentials,
  Prepared,
  TokenStorage,
} from './types.ts'
