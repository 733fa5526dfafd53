import { toEpochSec, type EpochMs } from '../base/clock.ts'
import type { MailKind, MailLocale } from '../store/rows.ts'
import { SHOWN, type MailValues, type ShownName, type ShownOf, type ShownValues } from './kinds.ts'
import { maskAddress, safeName, safeUsername } from './safe-text.ts'

/** The facts that the texts of a mail depend on, besides its values. */
export interface ShowContext {
  readonly locale: MailLocale
  readonly recipient: string
  readonly createdAt: EpochMs
  /** The host of the public URL. */
  readonly site: string
}

type AnyValues = MailValues[MailKind]

/** Returns the values of a mail as the texts that it shows. Pure. Names in them are safe, but not escaped. */
export function showValues<Kind extends MailKind>(
  kind: Kind,
  values: MailValues[Kind],
  context: ShowContext,
): ShownOf<Kind> {
  const shown = SHOWN[kind].map((name: ShownName) => [name, show[name](values, context)])
  // `SHOWN` lists the members of this type.
  return Object.fromEntries(shown) as ShownOf<Kind>
}

const UNKNOWN: Readonly<Record<MailLocale, string>> = { en: 'unknown', de: 'unbekannt' }

const show: Readonly<
  Record<keyof ShownValues, (values: AnyValues, context: ShowContext) => string>
> = {
  code: (values) => ('code' in values ? values.code : ''),
  url: (values) => ('url' in values ? values.url : ''),
  lifetime: (values, { locale, createdAt }) =>
    'expiresAt' in values ? formatSpan(values.expiresAt - createdAt, locale) : '',
  username: (values, { recipient }) =>
    'username' in values ? safeUsername(values.username, recipient) : '',
  tenant: (values) => ('tenant' in values ? safeName(values.tenant) : ''),
  inviter: (values) => ('inviter' in values ? safeName(values.inviter ?? '') : ''),
  newAddress: (values) => ('newAddress' in values ? maskAddress(values.newAddress) : ''),
  time: (values, { locale }) => ('at' in values ? formatTime(values.at, locale) : ''),
  address: (values, { locale }) =>
    ('address' in values ? values.address : undefined) ?? UNKNOWN[locale],
  device: (values, { locale }) =>
    'device' in values ? known(values.device, locale) : UNKNOWN[locale],
  change: (values) => ('change' in values ? values.change : ''),
  site: (_values, { site }) => site,
}

function known(text: string | undefined, locale: MailLocale): string {
  return text === undefined || text === '' ? UNKNOWN[locale] : safeName(text)
}

function formatTime(at: EpochMs, locale: MailLocale): string {
  const format = new Intl.DateTimeFormat(locale === 'de' ? 'de-DE' : 'en-GB', {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'UTC',
  })
  return `${format.format(at)} UTC`
}

const UNITS = [
  { unit: 'day', sec: 86_400 },
  { unit: 'hour', sec: 3_600 },
  { unit: 'minute', sec: 60 },
] as const

/** Formats a span in the largest unit that fits, rounded down: nobody should rely on a minute too many. */
function formatSpan(ms: number, locale: MailLocale): string {
  const seconds = Math.max(60, toEpochSec(ms))
  const { unit, sec } = UNITS.find((each) => seconds >= each.sec) ?? UNITS[2]
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(
    Math.floor(seconds / sec),
  )
}
