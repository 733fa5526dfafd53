import { runStages, vitestStage } from './lib/stages.ts'
import { setUpTests } from './setup-tests.ts'

/**
 * `npm run test:long`: simulations, fuzzing and large property tests in full, and the JWT library on each
 * Node that it supports. `npm test` runs a short form of the same suites.
 */
const passed =
  (await setUpTests()) &&
  (await runStages('npm run test:long', [
    { name: 'jwt on Node 20 to 26', command: ['node', 'scripts/test-matrix.ts'] },
    vitestStage('fault suites', 'faults'),
    vitestStage('long suites', 'long'),
  ]))
if (!passed) process.exitCode = 1
