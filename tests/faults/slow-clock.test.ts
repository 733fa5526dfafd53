import { expect, test } from 'vitest'

import { claimsOf } from '../../packages/server/test/support/forge.ts'
import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { ADMIN, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { MovableClock } from './clock.ts'
import { HonestLoad } from './honest-load.ts'
import { recordFault } from './record.ts'

const HOUR_SEC = 3_600
/** How far the clock is ahead of the true time, one after the other. */
const JUMPS_SEC = [HOUR_SEC, 0, -HOUR_SEC, -2 * HOUR_SEC, 0, 90, 0]

describeWith('faketime', 'clock', () => {
  test('a clock that jumps by an hour, forward and back, logs nobody out', async () => {
    using clock = new MovableClock()
    await using server = await startServerProcess({ env: clock.env })
    const load = new HonestLoad(server.url)
    await load.start()
    await load.untilMore({ rotations: 100, logOuts: 1 })
    const http = new HttpClient(server.url)
    for (const aheadSec of JUMPS_SEC) {
      clock.moveTo(aheadSec)
      const { access } = await http.login(ADMIN)
      const issuedAheadSec = Number(claimsOf(access)['iat']) - Date.now() / 1000
      expect(Math.abs(issuedAheadSec - aheadSec)).toBeLessThan(60)
      await load.untilMore({ rotations: 100, logOuts: 1 })
    }
    http.close()
    await load.stop()
    load.expectNothingLost(server.dataDir)
    await load.expectAnswersTrue()
    expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
    const { rotations, logOuts } = load.acknowledged
    load.close()
    recordFault('clock', {
      fault: `clock moved ${JUMPS_SEC.length} times, by up to an hour, under load`,
      outcome: `${rotations} refreshes and ${logOuts} log-outs, nobody logged out, no request failed`,
    })
  })
})
