import { createHash } from 'node:crypto'

import { errors, type Adapter, type Payload } from 'oidc-provider'

import type { SsoRecord } from '../../store/sso.ts'
import type { SessionServices } from '../../sessions/services.ts'
import { readLiveSession } from './accounts.ts'
import { findClient } from './clients.ts'
import { fromStoredPayload, toStoredPayload } from './payloads.ts'
import { createRefreshAdapter } from './refreshes.ts'
import { revokeGrant } from './revoke-grant.ts'

/** Returns the hash by which the store knows the id of a record. */
export function hashOf(id: string): Buffer {
  return createHash('sha256').update(id).digest()
}

/** Creates the function with which the library opens the store of one kind of model. */
export function createAdapters(services: SessionServices): (kind: string) => Adapter {
  return (kind) => {
    switch (kind) {
      case 'Client':
        return { ...createRecordAdapter(services, kind), find: (id) => findClient(services, id) }
      case 'RefreshToken':
        return createRefreshAdapter(services)
      case 'Session':
        return createSessionAdapter(services)
      default:
        return createRecordAdapter(services, kind)
    }
  }
}

/** A session of the library only points to ours. Without ours, it is not found. */
function createSessionAdapter(services: SessionServices): Adapter {
  const adapter = createRecordAdapter(services, 'Session')
  return {
    ...adapter,
    async find(id) {
      const payload = await adapter.find(id)
      const sessionId = payload && textOf(payload['accountId'])
      if (sessionId === undefined) return payload
      return (await readLiveSession(services, sessionId)) === undefined ? undefined : payload
    },
  }
}

function createRecordAdapter(services: SessionServices, kind: string): Adapter {
  const { store, access } = services
  const { records } = store.sso
  return {
    upsert: (id, payload, expiresInSec) =>
      records.put({
        ...subjectsOf(kind, id, payload),
        payload: toStoredPayload(kind, payload),
        expiresAt: store.clock.nowMs() + Math.ceil(expiresInSec) * 1000,
      }),
    async find(id) {
      const record = await records.find(kind, hashOf(id))
      if (record === undefined) return undefined
      const leftMs = record.expiresAt - store.clock.nowMs()
      const life = { id, leftMs, isUsed: record.usedAt !== undefined }
      return fromStoredPayload(kind, record.payload, life, access.issuer)
    },
    // The library asks for these two only in the pages that ours replace.
    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    async consume(id) {
      const idHash = hashOf(id)
      if (await records.use(kind, idHash)) return
      if (kind === 'PushedAuthorizationRequest') {
        throw new errors.InvalidRequestUri('The request_uri was used before.')
      }
      // Two requests brought the code at the same moment. One of them may come from a thief.
      const record = await records.find(kind, idHash)
      if (record?.grantId !== undefined) await revokeGrant(services, record.grantId)
      throw new errors.InvalidGrant('The code was used before.')
    },
    destroy: (id) => records.remove(kind, hashOf(id)),
    // The library calls this for each kind of model. One call is enough.
    revokeByGrantId: async (grantId) => {
      if (kind === 'AccessToken') await revokeGrant(services, grantId)
    },
  }
}

function subjectsOf(
  kind: string,
  id: string,
  payload: Payload,
): Omit<SsoRecord, 'payload' | 'expiresAt' | 'usedAt'> {
  const { accountId, grantId, clientId, userCode, params } = payload
  const asked = typeof params === 'object' && params !== null ? params : {}
  const asking = 'client_id' in asked ? asked.client_id : undefined
  const userCodeText = textOf(userCode)
  return {
    kind,
    idHash: hashOf(id),
    sessionId: textOf(accountId),
    grantId: kind === 'Grant' ? id : textOf(grantId),
    applicationId: textOf(clientId) ?? textOf(asking),
    otherHash: userCodeText === undefined ? undefined : hashOf(userCodeText),
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
