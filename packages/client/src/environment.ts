/** A channel to the other tabs. */
export interface Channel {
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  postMessage(message: unknown): void
  close(): void
}

type Listen = (
  type: string,
  listener: (event: { readonly persisted?: boolean }) => void,
  options: { readonly signal: AbortSignal },
) => void

/** The parts of a page that the client uses. Node, React Native and older browsers lack some of them. */
export interface Page {
  readonly location: { readonly origin: string; readonly href: string; assign(url: string): void }
  readonly document?: {
    readonly visibilityState: string
    /** The base of relative URLs. */
    readonly baseURI: string
    readonly addEventListener: Listen
  }
  readonly addEventListener: Listen
  readonly navigator?: {
    readonly locks?: {
      request(
        name: string,
        options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal },
        work: (lock: object | null) => unknown,
      ): Promise<unknown>
    }
  }
  readonly BroadcastChannel?: new (name: string) => Channel
}

/** Returns the page that the client runs in. Undefined in Node and in React Native. */
export function findPage(): Page | undefined {
  // Everything that the type promises is checked before use, except the listeners, which every document has.
  const page = globalThis as unknown as Page
  return page.document && page
}
