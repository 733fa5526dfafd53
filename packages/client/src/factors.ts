export { hasPasskeyAutofill, hasPasskeys } from './factors/ceremony.ts'
export { nextStep } from './factors/next-step.ts'
export { createFactors } from './factors/own-factors.ts'
export type {
  FactorAdded,
  FactorPolicy,
  Factors,
  OwnFactor,
  OwnFactorList,
  RememberedDevice,
} from './factors/own-factors.ts'
export { loginWithPasskey } from './factors/passkey-login.ts'
export { askToStepUp } from './factors/step-up.ts'
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
