import { runStages, vitestStage } from './lib/stages.ts'
import { setUpTests } from './setup-tests.ts'

/**
 * `npm test`: all checks and tests except the long ones, which `npm run test:long` runs. The quick stages
 * come first.
 */
const passed =
  (await setUpTests()) &&
  (await runStages('npm test', [
    { name: 'check', command: ['node', 'scripts/check.ts'] },
    vitestStage('fast suites', 'fast'),
    vitestStage('slow suites', 'slow'),
    { name: 'demo', command: ['node', 'scripts/demo.ts'] },
    { name: 'demo as installed', command: ['node', 'scripts/demo-installed.ts'] },
  ]))
if (!passed) process.exitCode = 1
