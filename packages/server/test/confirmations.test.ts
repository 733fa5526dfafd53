import { expect, test } from 'vitest'

import { Confirmations, LEASE_MS } from '../src/revocations/confirmations.ts'
import { ManualTimers } from './support/manual-timers.ts'

async function afterStart(): Promise<{ timers: ManualTimers; confirmations: Confirmations }> {
  const timers = new ManualTimers()
  const confirmations = new Confirmations(timers, LEASE_MS)
  await timers.advance(LEASE_MS)
  return { timers, confirmations }
}

test('without guards there is no wait', async () => {
  const { confirmations } = await afterStart()
  expect(await confirmations.wait(5)).toEqual({
    ms: 0,
    guards: 0,
    confirmed: 0,
    expired: 0,
    isInForce: true,
  })
})

test('a wait includes the unknown guards of the previous process', async () => {
  const timers = new ManualTimers()
  const report = new Confirmations(timers, LEASE_MS).wait(5)
  await timers.advance(LEASE_MS + 10)
  expect((await report).ms).toBe(LEASE_MS)
})

test('without a previous process a wait includes only known guards', async () => {
  const timers = new ManualTimers()
  const confirmations = new Confirmations(timers, 0)
  expect(await confirmations.wait(5)).toMatchObject({ ms: 0, guards: 0 })
  confirmations.echoed('a')
  const report = confirmations.wait(6)
  await timers.advance(100)
  confirmations.applied('a', 6)
  await timers.advance(100)
  expect(await report).toMatchObject({ guards: 1, confirmed: 1 })
})

test('each guard confirms or its lease expires', async () => {
  const { timers, confirmations } = await afterStart()
  for (const name of ['a', 'b', 'c']) confirmations.echoed(name)
  confirmations.applied('c', 7)
  const report = confirmations.wait(7)
  await timers.advance(1_000)
  confirmations.applied('a', 6)
  // An echo that was sent in the meantime renews nothing, because its guard has not applied the revocation.
  confirmations.echoed('b')
  await timers.advance(1_000)
  confirmations.applied('a', 9)
  await timers.advance(LEASE_MS - 2_000)
  expect(await report).toEqual({
    ms: LEASE_MS,
    guards: 3,
    confirmed: 2,
    expired: 1,
    isInForce: true,
  })
  expect(timers.pending).toBe(0)
})

test('a thousand waits for one position cost as much as one wait', async () => {
  const { timers, confirmations } = await afterStart()
  confirmations.echoed('a')
  expect(confirmations.awaits(3)).toBe(false)
  const reports = Array.from({ length: 1_000 }, () => confirmations.wait(3))
  expect(confirmations.awaits(3)).toBe(true)
  expect(timers.pending).toBe(1)
  await timers.advance(100)
  const late = confirmations.wait(3)
  confirmations.applied('a', 3)
  await timers.advance(10)
  for (const each of await Promise.all(reports)) {
    expect(each).toEqual({ ms: 110, guards: 1, confirmed: 1, expired: 0, isInForce: true })
  }
  expect((await late).ms).toBe(10)
  expect(confirmations.awaits(3)).toBe(false)
})

test('closing ends every wait, and claims nothing about guards that may hold a lease', async () => {
  const { timers, confirmations } = await afterStart()
  for (const name of ['a', 'b']) confirmations.echoed(name)
  confirmations.applied('a', 3)
  const report = confirmations.wait(3)
  confirmations.close()
  const open = { guards: 2, confirmed: 1, expired: 0, isInForce: false }
  expect(await report).toMatchObject(open)
  // A wait that begins later does not wait either.
  expect(await confirmations.wait(3)).toMatchObject({ ms: 0, ...open })
  await timers.advance(LEASE_MS)
  expect(await confirmations.wait(4)).toMatchObject({ expired: 0, guards: 0, isInForce: true })
})

test('closing claims nothing about unknown guards of the previous process', async () => {
  const confirmations = new Confirmations(new ManualTimers(), LEASE_MS)
  const report = confirmations.wait(5)
  confirmations.close()
  expect(await report).toMatchObject({ guards: 0, isInForce: false })
})

test('a guard that has closed is not waited for', async () => {
  const { timers, confirmations } = await afterStart()
  for (const name of ['a', 'b']) confirmations.echoed(name)
  const report = confirmations.wait(9)
  confirmations.left('a')
  confirmations.applied('b', 9)
  await timers.advance(20)
  expect(await report).toMatchObject({ guards: 2, confirmed: 1, expired: 1, isInForce: true })
  expect(confirmations.live).toBe(1)
})

test('nobody waits longer than the lease of a guard, which may be shorter', async () => {
  const { timers, confirmations } = await afterStart()
  confirmations.echoed('mirror', 0, 6_000)
  const report = confirmations.wait(7)
  await timers.advance(5_000)
  expect(confirmations.leases(9)).toEqual({ confirmed: 0, guards: 1 })
  await timers.advance(1_000)
  expect(await report).toMatchObject({ ms: 6_000, guards: 1, expired: 1, isInForce: true })
  expect(confirmations.leases(9)).toEqual({ confirmed: 9, guards: 0 })
  expect(confirmations.live).toBe(0)
})
