/** One package in `packages` of a package-lock.json (lockfileVersion 3). */
export interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly [member: string]: unknown
}

/** The members of a package-lock.json that we read. */
export interface PackageLock {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

/** A package of this repository, and the tarball that replaces its folder. */
export interface OwnPackage {
  readonly folder: string
  readonly tarball: string
  readonly manifest: { readonly version: string; readonly [member: string]: unknown }
}

/** The input of `productionLock`. */
export interface ProductionLockOptions {
  readonly lock: PackageLock
  /** The package to install, by its name. */
  readonly name: string
  /** The packages of this repository, by their names. */
  readonly own: Readonly<Record<string, OwnPackage>>
  /** Packages that are left out, although others depend on them. */
  readonly without: ReadonlySet<string>
}

/**
 * Returns the `packages` of a lock file with one package of this repository and everything that it loads, at the versions of the given
 * lock file. `npm ci` alone would also install the optional peers of the guard, because the repository has them for
 * its tests. Throws an `Error` if the lock file lacks a dependency.
 */
export function productionLock({
  lock,
  name,
  own,
  without,
}: ProductionLockOptions): Record<string, LockedPackage> {
  const found: Record<string, LockedPackage> = {}
  const waiting: Edge[] = [{ name, from: '', isOptional: false }]
  for (let edge = waiting.pop(); edge !== undefined; edge = waiting.pop()) {
    const path = resolve(lock, edge)
    if (path === undefined) {
      if (edge.isOptional) continue
      throw new Error(`package-lock.json has no ${edge.name} for ${edge.from || 'the image'}`)
    }
    if (path in found) continue
    const ours = own[edge.name]
    found[path] = ours === undefined ? entryOf(lock, path, without) : ownEntry(ours)
    // Below the folder of a workspace, the lock file has the versions that only this workspace uses.
    const from = ours === undefined ? path : ours.folder
    waiting.push(...edgesOf(found[path], from))
  }
  return movedBelow(found, own)
}

interface Edge {
  readonly name: string
  /** The path of the package that depends on it. */
  readonly from: string
  readonly isOptional: boolean
}

function edgesOf(entry: LockedPackage, from: string): Edge[] {
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = entry
  const names = (of: LockedPackage['dependencies'], isOptional: boolean): Edge[] =>
    Object.keys(of ?? {}).map((name) => ({ name, from, isOptional }))
  const peers = names(peerDependencies, false).filter(
    ({ name }) => peerDependenciesMeta?.[name]?.optional !== true,
  )
  return [...names(optionalDependencies, true), ...peers, ...names(dependencies, false)]
}

/** Looks for a package as Node does: in the folder `node_modules` of the dependent, then of each folder above it. */
function resolve({ packages }: PackageLock, { name, from }: Edge): string | undefined {
  for (let folder = from; ; folder = parentOf(folder)) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    if (path in packages) return path
    if (folder === '') return undefined
  }
}

function parentOf(folder: string): string {
  const at = folder.lastIndexOf('/node_modules/')
  return at === -1 ? '' : folder.slice(0, at)
}

function entryOf(
  { packages }: PackageLock,
  path: string,
  without: ReadonlySet<string>,
): LockedPackage {
  const { dev: _dev, devOptional: _devOptional, peer: _peer, ...entry } = packages[path] ?? {}
  if (entry.dependencies === undefined) return entry
  const kept = Object.entries(entry.dependencies).filter(([name]) => !without.has(name))
  return { ...entry, dependencies: Object.fromEntries(kept) }
}

function ownEntry({ tarball, manifest }: OwnPackage): LockedPackage {
  const { version, dependencies, bin, engines } = manifest
  return { version, resolved: `file:${tarball}`, ...definedOf({ dependencies, bin, engines }) }
}

function definedOf(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

/** Moves `packages/server/node_modules/x` to `node_modules/countersign/node_modules/x`. */
function movedBelow(
  found: Readonly<Record<string, LockedPackage>>,
  own: Readonly<Record<string, OwnPackage>>,
): Record<string, LockedPackage> {
  const entries = Object.entries(found).map(([path, entry]) => {
    const home = Object.entries(own).find(([, { folder }]) => path.startsWith(`${folder}/`))
    if (home === undefined) return [path, entry] as const
    const [name, { folder }] = home
    return [`node_modules/${name}${path.slice(folder.length)}`, entry] as const
  })
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
