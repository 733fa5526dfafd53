import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

/** How long an upgrade waits until another listener of the application reads the socket. */
const UNCLAIMED_MS = 10_000

/**
 * Leaves an upgrade that is not for the feed to the server's other listeners. If none of them begins to read the
 * socket, the request is answered over HTTP/1.1, as if it had not asked for another protocol (RFC 9110 §7.8).
 * Node no longer does that itself once a server has a listener for upgrades. So a client that offers HTTP/2
 * (`Upgrade: h2c`), as `curl --http2` and Java's client do, would get no answer on any path.
 */
export function leaveUpgrade(incoming: IncomingMessage, socket: Socket, head: Buffer): void {
  const server = serverOf(socket)
  const isForOthers = (server?.listenerCount('upgrade') ?? 0) > 1 && !offersHttp2(incoming)
  const answer = (): void => {
    if (!isUnclaimed(socket)) return
    if (server === undefined) socket.destroy()
    else answerAsHttp(server, incoming, socket, head)
  }
  if (isForOthers) setTimeout(answer, UNCLAIMED_MS).unref()
  else setImmediate(answer)
}

function offersHttp2({ headers }: IncomingMessage): boolean {
  return (
    headers.upgrade
      ?.toLowerCase()
      .split(/\s*,\s*/)
      .includes('h2c') === true
  )
}

function isUnclaimed(socket: Socket): boolean {
  return (
    !socket.destroyed &&
    socket.writable &&
    socket.listenerCount('data') === 0 &&
    socket.listenerCount('readable') === 0
  )
}

/** Node sets this property on every connection of an HTTP server. */
function serverOf(socket: Socket & { readonly server?: unknown }): Server | undefined {
  const { server } = socket
  return typeof server === 'object' && server !== null && 'maxHeadersCount' in server
    ? // Only HTTP servers have this property.
      (server as Server)
    : undefined
}

/** Gives the connection back to the server, which reads the request again, without the offer. */
function answerAsHttp(
  server: Server,
  incoming: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  socket.unshift(Buffer.concat([Buffer.from(withoutOffer(incoming), 'latin1'), head]))
  // A TLS server would begin another handshake at `connection`.
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
}

/** The head of the request as it was sent, without the headers of the offer (RFC 7540 §3.2). */
function withoutOffer({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    const value = rawHeaders[at + 1] ?? ''
    const lower = name.toLowerCase()
    if (OFFER.has(lower)) continue
    const rest = value.split(',').filter((each) => !OFFER.has(each.trim().toLowerCase()))
    if (lower !== 'connection') lines.push(`${name}: ${value}`)
    else if (rest.length > 0) lines.push(`${name}: ${rest.join(',')}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

const OFFER: ReadonlySet<string> = new Set(['upgrade', 'http2-settings'])
