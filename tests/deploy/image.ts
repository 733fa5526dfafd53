import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, matchesGlob } from 'node:path'

import {
  parseCommand,
  parsePairs,
  readContainerfile,
  restOf,
  ROOT,
  type Stage,
} from './containerfile.ts'

/**
 * Builds the image without a container engine: each stage is an overlay on this machine, and RUN runs in it with
 * chroot. So this machine stands for the base image, with the Node of the tests. Needs root and Linux.
 */

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Whether this process may mount overlays. */
export function canBuild(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const layer = makeLayer()
  try {
    return spawnSync('unshare', inLayer(layer, 'true', {})).status === 0
  } finally {
    rmSync(layer, { recursive: true, force: true })
  }
}

/** How `Image.start` runs the command of the image. */
export interface RunOptions {
  readonly env: Readonly<Record<string, string>>
  /** The folder of this machine that stands for the volume `/data`. */
  readonly data: string
  readonly command?: readonly string[]
}

/** A built image. */
export interface Image extends Disposable {
  /** The last stage of the Containerfile. */
  readonly stage: Stage
  /** The folder with the files that the image adds to its base. */
  readonly files: string
  /** Runs the entry point and a command, as the user of the image, with a read-only root file system. */
  start(options: RunOptions): ChildProcess
  /** Runs a command in the same way and waits for its end. */
  run(options: RunOptions & { readonly program: readonly string[] }): Finished
}

/** How a program ended. */
export interface Finished {
  readonly status: number | null
  readonly output: string
}

/** Runs every instruction of the Containerfile. Throws an `Error` with the output of a RUN that fails. */
export function buildImage(): Image {
  const layers = new Map<string, string>()
  const made: string[] = []
  const stages = readContainerfile()
  try {
    for (const stage of stages) {
      const layer = makeLayer()
      made.push(layer)
      layers.set(stage.name ?? '', layer)
      buildStage(stage, layer, layers)
    }
  } catch (error) {
    removeAll(made)
    throw error
  }
  return imageOf(stages.at(-1), made.at(-1) ?? '', made)
}

function removeAll(layers: readonly string[]): void {
  for (const layer of layers) rmSync(layer, { recursive: true, force: true })
}

function makeLayer(): string {
  const layer = mkdtempSync(join(tmpdir(), 'countersign-image-'))
  for (const folder of ['files', 'work', 'root']) mkdirSync(join(layer, folder))
  // In the base image, Node stands here.
  mkdirSync(join(layer, 'files/usr/local/bin'), { recursive: true })
  copyFileSync(process.execPath, join(layer, 'files/usr/local/bin/node'))
  return layer
}

function buildStage(stage: Stage, layer: string, layers: ReadonlyMap<string, string>): void {
  let folder = '/'
  for (const { word, rest } of stage.steps) {
    if (word === 'WORKDIR') {
      folder = rest
      mkdirSync(join(layer, 'files', folder), { recursive: true })
    } else if (word === 'COPY') {
      copy(rest, { layer, folder, layers })
    } else if (word === 'RUN') {
      runIn(layer, folder, rest)
    }
  }
}

function runIn(layer: string, folder: string, script: string): void {
  const inside = `cd ${folder} && ${script}`
  const { status, stdout, stderr } = spawnSync('unshare', inLayer(layer, inside, {}), {
    encoding: 'utf8',
    env: { ...process.env, PATH },
  })
  if (status !== 0) throw new Error(`RUN ${script}\n${stdout}${stderr}`)
}

/** Where COPY copies, and from which stages. */
interface CopyPlace {
  readonly layer: string
  readonly folder: string
  readonly layers: ReadonlyMap<string, string>
}

function copy(rest: string, { layer, folder, layers }: CopyPlace): void {
  const [, from, source = '', target = ''] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(rest) ?? []
  const to = join(layer, 'files', target.startsWith('/') ? target : join(folder, target))
  if (from !== undefined) {
    cpSync(join(layers.get(from) ?? '', 'files', source), to, {
      recursive: true,
      verbatimSymlinks: true,
    })
    return
  }
  for (const file of contextFiles()) {
    mkdirSync(dirname(join(to, file)), { recursive: true })
    copyFileSync(join(ROOT, file), join(to, file))
  }
}

/** The files of the repository that .containerignore leaves in the context of the build. */
export function contextFiles(): readonly string[] {
  const rules = readFileSync(join(ROOT, '.containerignore'), 'utf8').split('\n')
  const patterns = rules.filter((rule) => rule !== '' && !rule.startsWith('#'))
  const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return tracked
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)) && isSent(file, patterns))
}

/** The last pattern that matches a file or a folder above it decides. */
function isSent(file: string, patterns: readonly string[]): boolean {
  const names = plainDots(file).split('/')
  const paths = names.map((_, at) => names.slice(0, at + 1).join('/'))
  return patterns.reduce((sent, pattern) => {
    const excludes = !pattern.startsWith('!')
    const glob = plainDots(excludes ? pattern : pattern.slice(1))
    return paths.some((path) => matchesGlob(path, glob)) ? !excludes : sent
  }, true)
}

/** `*` matches names that begin with a dot in an ignore file, but not in `matchesGlob`. */
function plainDots(path: string): string {
  return path.replaceAll(/(^|\/)\./g, '$1:')
}

/** Mounts of `inLayer` besides the layer itself. */
interface LayerOptions {
  readonly user?: string
  readonly data?: string
}

/**
 * Returns arguments of `unshare` that run a script in a layer. With a user, the script has no privileges, and only
 * `data`, mounted at /data, is writable.
 */
function inLayer(layer: string, script: string, { user, data }: LayerOptions): string[] {
  const at = `${layer}/root`
  const lines = [
    `mount -t overlay overlay -o lowerdir=/,upperdir=${layer}/files,workdir=${layer}/work ${at}`,
    `mount --rbind /proc ${at}/proc`,
    `mount --rbind /dev ${at}/dev`,
  ]
  if (data !== undefined) lines.push(`mount --bind ${data} ${at}/data`)
  if (user !== undefined) lines.push(`mount -o remount,ro,bind ${at}`)
  const [uid = '', gid = ''] = user?.split(':') ?? []
  const asUser =
    user === undefined
      ? ''
      : `setpriv --reuid=${uid} --regid=${gid} --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs`
  lines.push(`exec chroot ${at} ${asUser} /bin/sh -c "$0"`)
  // Without --fork, the program has the process id that spawn returns, and gets its signals.
  return ['--mount', '--propagation', 'private', 'sh', '-c', lines.join(' && '), script]
}

function imageOf(stage: Stage | undefined, layer: string, made: readonly string[]): Image {
  if (stage === undefined) throw new Error('The Containerfile has no stage.')
  const user = restOf(stage, 'USER')[0] ?? ''
  const folder = restOf(stage, 'WORKDIR').at(-1) ?? '/'
  const environment = parsePairs(restOf(stage, 'ENV'))
  const [entry, command] = ['ENTRYPOINT', 'CMD'].map((word) => parseCommand(restOf(stage, word)[0]))
  const argsOf = (program: readonly string[], { data }: RunOptions): string[] =>
    inLayer(layer, `cd ${folder} && exec ${program.join(' ')}`, { user, data })
  const envOf = ({ env }: RunOptions): Record<string, string> => ({ PATH, ...environment, ...env })
  return {
    stage,
    files: join(layer, 'files'),
    start: (options) => {
      const program = [...(entry ?? []), ...(options.command ?? command ?? [])]
      const child = spawn('unshare', argsOf(program, options), {
        env: envOf(options),
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const kill = (): boolean => child.kill('SIGKILL')
      process.once('exit', kill)
      child.once('exit', () => process.off('exit', kill))
      return child
    },
    run: (options) => {
      const { status, stdout, stderr } = spawnSync('unshare', argsOf(options.program, options), {
        encoding: 'utf8',
        env: envOf(options),
      })
      return { status, output: `${stdout}${stderr}` }
    },
    [Symbol.dispose]: () => removeAll(made),
  }
}
