import { ClientError } from '../error.ts'
import { browser, type Credential, type Members } from './browser.ts'
import { credentialToJson, parseCreationOptions, parseRequestOptions } from './webauthn-json.ts'

// A page has one request for a passkey at a time. The autofill of the login page is one, and may wait for hours.
let latest: AbortController | undefined

/** Whether the browser can use passkeys. */
export function hasPasskeys(): boolean {
  return browser().PublicKeyCredential !== undefined
}

/** Whether the browser can offer passkeys in a field of a form. */
export async function hasPasskeyAutofill(): Promise<boolean> {
  return (await browser().PublicKeyCredential?.isConditionalMediationAvailable?.()) === true
}

/** The options of a request for a passkey. */
export interface PasskeyRequest {
  readonly signal?: AbortSignal | undefined
  readonly autofill?: boolean | undefined
}

/** Asks the browser for a passkey, and returns it as JSON. Ends the request before. */
export function getPasskey(
  options: unknown,
  { signal, autofill }: PasskeyRequest = {},
): Promise<unknown> {
  return run(signal, (own) =>
    browser().navigator.credentials.get({
      // The authority's schema for the options.
      publicKey: parseRequestOptions(options as Members),
      signal: own,
      ...(autofill ? { mediation: 'conditional' } : {}),
    }),
  )
}

/** Asks the browser to make a passkey, and returns it as JSON. Ends the request before. */
export function makePasskey(
  options: unknown,
  { signal }: Pick<PasskeyRequest, 'signal'>,
): Promise<unknown> {
  return run(signal, (own) =>
    browser().navigator.credentials.create({
      // As above.
      publicKey: parseCreationOptions(options as Members),
      signal: own,
    }),
  )
}

async function run(
  signal: AbortSignal | undefined,
  ask: (signal: AbortSignal) => Promise<Credential | null>,
): Promise<unknown> {
  if (!hasPasskeys()) {
    const message = 'This browser cannot use passkeys. Use another method.'
    throw new ClientError('passkeys_unsupported', { message })
  }
  latest?.abort()
  const own = new AbortController()
  latest = own
  const abort = (): void => own.abort()
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort)
  try {
    const credential = await ask(own.signal)
    if (credential === null) throw new ClientError('passkey_cancelled')
    return credentialToJson(credential)
  } catch (cause) {
    throw explain(cause)
  } finally {
    signal?.removeEventListener('abort', abort)
    if (latest === own) latest = undefined
  }
}

/** Browsers do not tell whether the person cancelled or has no passkey, so that pages cannot find out. */
function explain(cause: unknown): unknown {
  switch (cause instanceof Error ? cause.name : '') {
    case 'NotAllowedError':
    case 'AbortError':
      return new ClientError('passkey_cancelled', { cause, message: 'No passkey was used.' })
    case 'InvalidStateError':
      return new ClientError('passkey_taken', {
        cause,
        message: 'This device has a passkey for this account already.',
      })
    default:
      return cause
  }
}
