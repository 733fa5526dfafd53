export { authOf, optionalAuthOf } from './auth-of.ts'
export { AccessRefusedException } from './nest/access-refused-exception.ts'
export { Auth, Public, Requires, Roles } from './nest/decorators.ts'
export {
  COUNTERSIGN_GUARD,
  CountersignModule,
  type CountersignModuleAsyncOptions,
  type CountersignModuleOptions,
} from './nest/countersign-module.ts'
export { createNestGuard, type NestGuardOptions } from './nest/nest-guard.ts'
export type { NestRequestSource, NestRequestView } from './nest/nest-request.ts'
