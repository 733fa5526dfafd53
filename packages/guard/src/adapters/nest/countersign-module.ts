// oxlint-disable no-extraneous-class -- NestJS identifies modules by their class
import {
  type DynamicModule,
  type FactoryProvider,
  Module,
  type ModuleMetadata,
  type Provider,
} from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'

import type { Guard } from '../../guard.ts'
import type { Requirements } from '../../verification/requirements.ts'
import { createNestGuard, type NestGuardOptions } from './nest-guard.ts'
import type { NestRequestView } from './nest-request.ts'

/** The token under which the module provides its guard: `@Inject(COUNTERSIGN_GUARD) guard: Guard`. */
export const COUNTERSIGN_GUARD = Symbol.for('@countersign/guard/nest')

const OPTIONS = Symbol.for('@countersign/guard/nest/options')

/** The options of `CountersignModule.forRoot`. */
export interface CountersignModuleOptions extends NestGuardOptions {
  /** The guard from `createGuard`. The module closes it when the application closes. */
  readonly guard: Guard
  /** The requirements of every route that is not `@Public()`. Default: a valid access token. */
  readonly requirements?: Requirements<NestRequestView>
}

/** The options of `CountersignModule.forRootAsync`: a factory that may inject providers. */
export interface CountersignModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: FactoryProvider['inject']
  readonly useFactory: (
    // NestJS resolves the arguments at run time. Their types are those that your function declares.
    // oxlint-disable-next-line no-explicit-any -- `unknown` would refuse every function with arguments
    ...args: any[]
  ) => CountersignModuleOptions | Promise<CountersignModuleOptions>
}

/**
 * Guards all routes of the application: each needs a valid access token unless it is `@Public()`. It provides
 * the guard under `COUNTERSIGN_GUARD` and closes it when the application closes.
 */
export class CountersignModule {
  /** Takes a guard. */
  static forRoot(options: CountersignModuleOptions): DynamicModule {
    return moduleWith([], { provide: OPTIONS, useValue: options })
  }

  /** Takes a factory, for a guard whose options come from a provider such as `ConfigService`. */
  static forRootAsync(options: CountersignModuleAsyncOptions): DynamicModule {
    const { imports = [], inject = [], useFactory } = options
    return moduleWith(imports, { provide: OPTIONS, inject, useFactory })
  }
}
// Called as a function, because Node runs these sources and does not know decorators.
Module({})(CountersignModule)

function moduleWith(
  imports: NonNullable<ModuleMetadata['imports']>,
  options: Provider,
): DynamicModule {
  return {
    module: CountersignModule,
    global: true,
    imports,
    providers: [
      options,
      {
        provide: COUNTERSIGN_GUARD,
        inject: [OPTIONS],
        useFactory: ({ guard }: CountersignModuleOptions) => guard,
      },
      {
        provide: APP_GUARD,
        inject: [COUNTERSIGN_GUARD, OPTIONS],
        useFactory: (guard: Guard, { requirements, ...rest }: CountersignModuleOptions) =>
          createNestGuard(guard, requirements, rest),
      },
      {
        provide: GuardCloser,
        inject: [COUNTERSIGN_GUARD],
        useFactory: (guard: Guard) => new GuardCloser(guard),
      },
    ],
    exports: [COUNTERSIGN_GUARD],
  }
}

/** NestJS calls it when the application closes. An open feed would keep the process alive. */
class GuardCloser {
  readonly #guard: Guard

  constructor(guard: Guard) {
    this.#guard = guard
  }

  onModuleDestroy(): void {
    this.#guard.close()
  }
}
