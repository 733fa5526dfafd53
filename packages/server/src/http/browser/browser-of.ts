import type { Caller } from '../../sessions/services.ts'
import type { HttpServices } from '../services.ts'

/** Adds what the cookies of a browser say about it to the caller of a sign-in. */
export function browserOf({ cookies }: HttpServices, request: Request, caller: Caller): Caller {
  const device = cookies.read(request, 'device')
  const trusted = cookies.read(request, 'trusted')
  return {
    ...caller,
    device: device.ok ? device.value : undefined,
    trusted: trusted.ok ? trusted.value : undefined,
  }
}
