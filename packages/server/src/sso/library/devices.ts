import type { Payload, Provider } from 'oidc-provider'

import { toEpochSec } from '../../base/clock.ts'
import type { SessionServices } from '../../sessions/services.ts'
import type { SessionState } from '../../store/refresh.ts'
import type { SsoRecord } from '../../store/sso.ts'
import { withoutOwn, type Allowed } from '../consent.ts'
import { knownScopes } from '../scopes.ts'
import { hashOf } from './adapters.ts'
import { openGrant } from './grants.ts'
import { resourcesIn } from './resources.ts'

const KIND = 'DeviceCode'

/** A device that waits for a person. */
export interface WaitingDevice {
  readonly applicationId: string
  /** The scopes and resources that the application asks for. */
  readonly wanted: Allowed
}

/** The devices that wait, for the page on which people type the code. */
export interface Devices {
  /**
   * Claims the device of a code for a session. Only this session can then decide. Returns undefined for a code that is
   * unknown, expired or decided, or that another session has claimed.
   */
  claim(userCode: string, sessionId: string): Promise<WaitingDevice | undefined>
  /** Lets the device in, or refuses it. Returns false if the session has not claimed it. */
  decide(userCode: string, state: SessionState, isAllowed: boolean): Promise<boolean>
}

/** Creates the devices. The library's own pages do not bind a code to the session that typed it (RFC 8628 §5.4). */
export function createDevices(provider: Provider, services: SessionServices): Devices {
  const { store, access } = services
  const { records } = store.sso

  async function find(userCode: string): Promise<Found | undefined> {
    const record = await records.findByOther(KIND, hashOf(normalizeUserCode(userCode)))
    if (record === undefined || record.usedAt !== undefined) return undefined
    const payload = JSON.parse(record.payload) as Payload
    const { accountId, error, clientId } = payload
    const isDecided = accountId !== undefined || error !== undefined
    return isDecided || typeof clientId !== 'string' ? undefined : { record, payload, clientId }
  }

  const write = ({ record }: Found, payload: Payload, more: Partial<SsoRecord> = {}) =>
    records.put({ ...record, ...more, payload: JSON.stringify(payload) })

  return {
    async claim(userCode, sessionId) {
      const found = await find(userCode)
      if (found === undefined) return undefined
      const { record, payload, clientId } = found
      const id = Buffer.from(record.idHash).toString('base64url')
      const isFirst = await store.consume('sso_device', id, record.expiresAt + 1)
      if (isFirst) await write(found, { ...payload, claimedBy: sessionId })
      else if (payload['claimedBy'] !== sessionId) return undefined
      const wanted = withoutOwn(wantedIn(payload, access.issuer), access)
      return { applicationId: clientId, wanted }
    },

    async decide(userCode, { session }, isAllowed) {
      const found = await find(userCode)
      if (found === undefined || found.payload['claimedBy'] !== session.id) return false
      const { payload, clientId } = found
      if (!isAllowed) {
        await write(found, { ...payload, error: 'access_denied' })
        return true
      }
      const wanted = wantedIn(payload, access.issuer)
      const grant = await openGrant(provider, services, {
        session,
        application: { id: clientId },
        wanted,
        knownId: undefined,
      })
      const { acr, amr, authenticatedAt } = session
      const decided = {
        ...payload,
        accountId: session.id,
        grantId: grant.jti,
        scope: wanted.scopes.join(' '),
        resource: wanted.resources[0],
        authTime: toEpochSec(authenticatedAt),
        acr,
        amr,
        sid: session.id,
      }
      await write(found, decided, { sessionId: session.id, grantId: grant.jti })
      return true
    },
  }
}

interface Found {
  readonly record: SsoRecord
  readonly payload: Payload
  readonly clientId: string
}

/** Returns the spelling of a code that the library stores: people type it in small letters and without the dash. */
function normalizeUserCode(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z\d]/g, '')
}

function wantedIn({ params }: Payload, issuer: string): Allowed {
  const { scope, resource } = (params ?? {}) as {
    readonly scope?: unknown
    readonly resource?: unknown
  }
  return {
    scopes: knownScopes(typeof scope === 'string' ? scope : undefined),
    resources: resourcesIn(resource, issuer),
  }
}
