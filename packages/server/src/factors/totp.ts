import type { EpochMs } from '../base/clock.ts'
import type { Random } from '../base/random.ts'

/** The values that every authenticator app supports (RFC 6238 §1.2), with a secret of 160 bits (RFC 4226 §4). */
const SECRET_BYTES = 20
const PERIOD_SEC = 30
/** One step of drift in each direction (RFC 6238 §5.2). */
const TOLERANCE_SEC = PERIOD_SEC

/** Makes the secret of an authenticator app. */
export function newTotpSecret(random: Random): Uint8Array {
  return new Uint8Array(random.bytes(SECRET_BYTES))
}

/** The secret of a new authenticator app, in the two forms that apps read. Never log it. */
export interface TotpSetup {
  /** The secret in Base32, for apps without a camera. */
  readonly secret: string
  /** The `otpauth:` URI. */
  readonly uri: string
  /** The URI as a QR code: an SVG image of black squares on white. */
  readonly qr: string
}

/** Describes a secret for an authenticator app. `issuer` and `label` name the account in its list. */
export async function describeTotp(
  secret: Uint8Array,
  names: { readonly issuer: string; readonly label: string },
): Promise<TotpSetup> {
  const [{ ScureBase32Plugin, generateURI }, qrcode] = await Promise.all([
    import('otplib'),
    import('qrcode'),
  ])
  const base32 = new ScureBase32Plugin().encode(secret, { padding: false })
  const uri = generateURI({ ...names, secret: base32, strategy: 'totp' })
  const qr = await qrcode.toString(uri, { type: 'svg', margin: 2, errorCorrectionLevel: 'M' })
  return { secret: base32, uri, qr }
}

/**
 * Returns the time step of a code. Undefined if the code is wrong, or its step is not after `lastStep`. The caller must
 * then move `lastStep` on by compare-and-set: of several checks at once, each succeeds here.
 */
export async function findTotpStep(
  secret: Uint8Array,
  code: string,
  lastStep: number,
  now: EpochMs,
): Promise<number | undefined> {
  const digits = code.replaceAll(' ', '')
  if (!/^[0-9]{6}$/.test(digits)) return undefined
  const epoch = Math.floor(now / 1000)
  // The library throws for a step in the future: the clock was set back after that step was used.
  if (lastStep > Math.floor((epoch + TOLERANCE_SEC) / PERIOD_SEC)) return undefined
  const { verify } = await import('otplib')
  const result = await verify({
    secret,
    token: digits,
    epoch,
    period: PERIOD_SEC,
    epochTolerance: TOLERANCE_SEC,
    ...(lastStep >= 0 ? { afterTimeStep: lastStep } : {}),
  })
  return result.valid && 'timeStep' in result ? result.timeStep : undefined
}
