import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Programs that stop cleanly, such as a server or a browser, get this long. */
const CLEAN_MS = 5_000

/**
 * Ends a child that was started with `detached: true`, and everything that it has started: first with SIGTERM, then with
 * SIGKILL. Programs in process groups of their own, such as browsers, are found by their parents, on Linux only.
 */
export async function endTree(pid: number): Promise<void> {
  const tree = descendantsOf(pid)
  send(-pid, 'SIGTERM')
  for (const each of tree) send(each, 'SIGTERM')
  const late = performance.now() + CLEAN_MS
  const isRunning = (): boolean => [-pid, ...tree].some((each) => send(each, 0))
  while (performance.now() < late && isRunning()) await sleep(20)
  send(-pid, 'SIGKILL')
  for (const each of tree) send(each, 'SIGKILL')
}

/** Returns whether there was such a process. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** The processes that a process has started, directly or through others (proc(5): field 4 of stat). */
export function descendantsOf(pid: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readProc()) {
    const fields = readStat(name)?.split(') ').at(-1)?.split(' ')
    if (fields !== undefined) parents.set(Number(name), Number(fields[1]))
  }
  const found = [pid]
  for (const parent of found) {
    for (const [child, its] of parents) if (its === parent) found.push(child)
  }
  return found.slice(1)
}

function readProc(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return [] // Other systems have no /proc.
  }
}

function readStat(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined // It has ended.
  }
}
