import type { Members } from '../exchange.ts'
import type { Client } from '../types.ts'
import { askLoggedIn } from './ask.ts'
import { makePasskey } from './ceremony.ts'
import { readNewTotp } from './new-totp.ts'
import { signalAccepted, type AcceptedPasskeys } from './signals.ts'
import type { NewTotp } from './types.ts'

/** A second factor of the person who is logged in. */
export interface OwnFactor {
  readonly id: string
  readonly kind: 'totp' | 'passkey'
  readonly name: string
  /** Seconds since 1970. */
  readonly created_at: number
  readonly last_used_at: number | null
  /** Of a passkey: whether the person has it on several devices. */
  readonly backed_up?: boolean
  readonly credential_id?: string
}

/** The second factors of the person who is logged in. The members are those of `GET /auth/factors`. */
export interface OwnFactorList {
  readonly factors: readonly OwnFactor[]
  readonly recovery_codes_left: number
  /** Whether the account needs a second factor. */
  readonly required: boolean
  /** By when it must have one: seconds since 1970. Null if it has one. */
  readonly due_at: number | null
}

/** The rules of the authority for the factors of the account. The members are those of `GET /auth/factors/policy`. */
export interface FactorPolicy {
  readonly required: boolean
  readonly due_at: number | null
  /** Whether the authority can use passkeys. */
  readonly passkeys: boolean
  /** Whether a mailed code can be the second factor. */
  readonly mail: boolean
  /** How long a browser can be remembered. Null: not at all. */
  readonly remember_sec: number | null
  /** How old a proof may be for a change of the factors. */
  readonly step_up_sec: number
}

/** A browser that is not asked for a second factor. */
export interface RememberedDevice {
  readonly device: string
  readonly address: string
  readonly created_at: number
  readonly expires_at: number
}

/** A factor was added. */
export interface FactorAdded {
  /** Show them: nobody can read them again. Empty unless it is the first factor. */
  readonly recoveryCodes: readonly string[]
}

/** The functions for a page on which people manage their second factors. */
export interface Factors {
  readonly list: () => Promise<OwnFactorList>
  readonly policy: () => Promise<FactorPolicy>
  /** Begins to set up an authenticator app. It replaces an older one when its code is submitted. */
  readonly beginTotp: () => Promise<NewTotp<FactorAdded>>
  /** Makes a passkey. Without a name, the authority chooses one. `signal` closes the dialog of the browser. */
  readonly addPasskey: (
    name?: string,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<FactorAdded>
  readonly rename: (id: string, name: string) => Promise<void>
  /** Removes a factor. Ends all other sessions. Password managers hear which passkeys are left. */
  readonly remove: (id: string) => Promise<void>
  /** Returns new recovery codes. The old ones stop working. */
  readonly replaceRecoveryCodes: () => Promise<readonly string[]>
  readonly devices: () => Promise<readonly RememberedDevice[]>
  /** Makes all browsers ask for a second factor again. */
  readonly forgetDevices: () => Promise<void>
}

/**
 * Creates the functions for the second factors of the person who is logged in. Changes need a recent login: set a handler
 * with `client.onStepUp`, otherwise they reject with `insufficient_user_authentication`.
 */
export function createFactors(client: Pick<Client, 'authority' | 'fetch' | 'refresh'>): Factors {
  const post = (path: string, body: object = {}): Promise<Members> =>
    askLoggedIn(client, 'POST', `/auth/factors/${path}`, body)

  /** After a change, the old access token is stale. */
  async function renewed(answer: Members): Promise<FactorAdded> {
    // Nobody can read the recovery codes again, so an outage at this moment must not lose them.
    await client.refresh().catch(() => {})
    const codes = answer['recovery_codes']
    return { recoveryCodes: Array.isArray(codes) ? codes : [] }
  }

  // The `as` below: the authority's schemas for these answers.
  return {
    list: async () =>
      (await askLoggedIn(client, 'GET', '/auth/factors')) as object as OwnFactorList,
    policy: async () =>
      (await askLoggedIn(client, 'GET', '/auth/factors/policy')) as object as FactorPolicy,
    async beginTotp() {
      const begun = await post('totp/challenge')
      return readNewTotp(begun, async (fields) => renewed(await post('totp', fields)))
    },
    async addPasskey(name, { signal } = {}) {
      const { challenge, options } = await post('passkeys/challenge')
      const response = await makePasskey(options, { signal })
      return renewed(await post('passkeys', { challenge, response, name }))
    },
    async rename(id, name) {
      await askLoggedIn(client, 'PATCH', `/auth/factors/${encodeURIComponent(id)}`, { name })
    },
    async remove(id) {
      const path = `/auth/factors/${encodeURIComponent(id)}`
      const removed = await askLoggedIn(client, 'DELETE', path)
      const { passkeys } = removed as { readonly passkeys?: AcceptedPasskeys }
      if (passkeys) await signalAccepted(passkeys)
      await renewed(removed)
    },
    replaceRecoveryCodes: async () => (await renewed(await post('recovery-codes'))).recoveryCodes,
    async devices() {
      const { devices } = await askLoggedIn(client, 'GET', '/auth/devices')
      return devices as readonly RememberedDevice[]
    },
    async forgetDevices() {
      await askLoggedIn(client, 'DELETE', '/auth/devices')
    },
  }
}
