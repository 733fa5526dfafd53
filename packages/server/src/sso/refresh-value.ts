import { createHmac, timingSafeEqual } from 'node:crypto'

import type { SsoRefreshChain } from '../store/sso.ts'

/** The parts of an application's refresh token: `CHAIN.GENERATION.MAC`. */
export interface RefreshValue {
  readonly chainId: string
  readonly generation: number
  readonly mac: string
}

type Seeded = Pick<SsoRefreshChain, 'id' | 'seed'>

const FORM = /^([\w-]{22})\.(0|[1-9]\d{0,14})\.([\w-]{43})$/

/**
 * Makes the refresh token of one generation. Pure. It is an HMAC over the chain and the generation with the seed of the
 * row, so the row can recognise the tokens of all generations and contains none of them.
 */
export function refreshValueOf({ id, seed }: Seeded, generation: number): string {
  return `${id}.${generation}.${macOf({ id, seed }, generation)}`
}

/** Reads a refresh token. Returns undefined for a text that is none. It is genuine only by {@link isGenuineRefresh}. */
export function readRefreshValue(text: string): RefreshValue | undefined {
  const [, chainId, generation, mac] = FORM.exec(text) ?? []
  return chainId === undefined || generation === undefined || mac === undefined
    ? undefined
    : { chainId, generation: Number(generation), mac }
}

/** Whether the authority made the token from this row. Takes constant time. */
export function isGenuineRefresh(chain: Seeded, { generation, mac }: RefreshValue): boolean {
  return timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(chain, generation)))
}

function macOf({ id, seed }: Seeded, generation: number): string {
  return createHmac('sha256', seed).update(`${id}.${generation}`).digest('base64url')
}
