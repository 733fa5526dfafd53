import type { Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'

import type { NodeHandler } from './node-handler.ts'
import type { FeedSocket } from './revocations/feed-socket.ts'
import type { ApiRoute } from './router/define.ts'

/** The parts of an authority that a server needs. */
export interface Attachment {
  readonly handle: NodeHandler
  readonly upgrade: FeedSocket['upgrade']
  /** Whether a request target is one of the authority's paths. */
  readonly owns: (target: string) => boolean
}

const attached = new WeakSet<Server | SecureServer>()

/**
 * Lets a server answer the authority's paths, before its own listeners, and accept guards. All other requests go
 * to the server's own listeners, also to those that are added later. Throws a `TypeError` for a server that has
 * this attachment or another one already.
 */
export function attachTo(
  server: Server | SecureServer,
  { handle, upgrade, owns }: Attachment,
): void {
  if (attached.has(server)) throw new TypeError('An authority is attached to this server already.')
  attached.add(server)
  const others: Listener[] = []
  const first: NodeHandler = (incoming, outgoing) => {
    if (owns(incoming.url ?? '')) handle(incoming, outgoing)
    else for (const each of others) each.call(server, incoming, outgoing)
  }
  const takeOver = (): void => {
    for (const each of server.listeners('request') as Listener[]) {
      if (each === first) continue
      server.off('request', each)
      others.push(each)
    }
  }
  takeOver()
  server.on('request', first)
  // The event comes before the listener is added.
  server.on('newListener', (event) => event === 'request' && queueMicrotask(takeOver))
  server.on('upgrade', upgrade)
}

type Listener = (this: unknown, ...request: Parameters<NodeHandler>) => void

/** The tags of routes that an application has itself: its start page, its documentation and its health. */
const OWN_OF_APPLICATION: ReadonlySet<string> = new Set(['Documentation', 'Operations'])

/** Returns a function that says whether a request target belongs to a route of the API. */
export function ownerOf(rows: readonly ApiRoute[]): Attachment['owns'] {
  const patterns = rows
    .filter(({ tag }) => !OWN_OF_APPLICATION.has(tag))
    .map(({ path, isExact }) => {
      const text = path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')
      return isExact ? text : text.replace(/\/?$/, '/?')
    })
  const owned = new RegExp(`^(?:${patterns.join('|')})$`)
  return (target) => owned.test(target.split('?', 1)[0] ?? '')
}
