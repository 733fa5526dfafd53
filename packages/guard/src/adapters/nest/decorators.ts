import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common'
import { Reflector } from '@nestjs/core'

import { assertPlain, type Requirements } from '../../verification/requirements.ts'
import { optionalAuthOf } from '../auth-of.ts'
import type { NestRequestView } from './nest-request.ts'
import { carrierOf } from './nest-request.ts'

const PUBLIC = 'countersign:public'
const ROLES = 'countersign:roles'
const REQUIREMENTS = 'countersign:requirements'
/** Where NestJS stores the guards of `@UseGuards`. */
const GUARDS = '__guards__'

/**
 * Opens a controller or a route to everybody. A valid access token is still read, so `@Auth()` returns its
 * claims. `@Roles` or `@Requires` on the route take precedence over `@Public` on its controller.
 */
export function Public(): ClassDecorator & MethodDecorator {
  return SetMetadata(PUBLIC, true)
}

/**
 * Requires one of these roles, as `requireAuth(guard, { roles })` does. On a route it replaces the roles of
 * the controller. Throws a TypeError without a role.
 */
export function Roles(...roles: readonly string[]): ClassDecorator & MethodDecorator {
  if (roles.length === 0) throw new TypeError('@Roles needs at least one role.')
  return SetMetadata(ROLES, roles)
}

/**
 * Adds requirements: permissions, a tenant, a recent login, a policy. Each requirement of a route replaces the
 * same requirement of its controller. Throws a TypeError for requirements that are not a plain object.
 */
export function Requires<PlatformRequest = NestRequestView>(
  requirements: Requirements<PlatformRequest>,
): ClassDecorator & MethodDecorator {
  assertPlain(requirements)
  return SetMetadata(REQUIREMENTS, requirements)
}

/**
 * Parameter decorator: the claims of the access token. It is undefined on a public route without a valid
 * token. Throws if no guard of this package ran.
 */
export const Auth = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  optionalAuthOf(carrierOf(context)),
)

/** The access that the decorators of a route describe to the guard that checks it. */
export type DecoratedAccess =
  | { readonly isPublic: true }
  | { readonly isPublic: false; readonly requirements: Requirements<never> }

/**
 * Reads the decorators of a route and its controller. The nearest decorator decides. A guard that
 * `@UseGuards` names as near as `@Public`, or nearer, is not switched off by it.
 */
export function accessOf(context: ExecutionContext, guard: object): DecoratedAccess {
  const route = context.getHandler()
  const controller = context.getClass()
  const ofRoute = requirementsOf(route)
  const ofController = requirementsOf(controller)
  const isOpenRoute = isPublic(route) && ofRoute === undefined && !isGuardedBy(route, guard)
  const isOpenController =
    isPublic(controller) &&
    ofController === undefined &&
    ofRoute === undefined &&
    !isGuardedBy(controller, guard) &&
    !isGuardedBy(route, guard)
  if (isOpenRoute || isOpenController) return { isPublic: true }
  return { isPublic: false, requirements: { ...ofController, ...ofRoute } }
}

type Target = Parameters<Reflector['get']>[1]
const reflector = new Reflector()

function isPublic(target: Target): boolean {
  return reflector.get<boolean | undefined>(PUBLIC, target) === true
}

function requirementsOf(target: Target): Requirements<never> | undefined {
  const roles = reflector.get<readonly string[] | undefined>(ROLES, target)
  const others = reflector.get<Requirements<never> | undefined>(REQUIREMENTS, target)
  if (roles === undefined && others === undefined) return undefined
  return { ...others, ...(roles === undefined ? {} : { roles }) }
}

function isGuardedBy(target: Target, guard: object): boolean {
  return reflector.get<readonly unknown[] | undefined>(GUARDS, target)?.includes(guard) === true
}
