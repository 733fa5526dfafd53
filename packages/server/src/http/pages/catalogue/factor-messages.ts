import type { FactorMethod } from '../../../factors/decide.ts'
import type { FactorKind } from '../../../store/factors.ts'

/** The words for one way to give a second factor. */
export interface MethodMessages {
  readonly lead: string
  readonly button: string
  /** The link to this way from the page of another way. */
  readonly choose: string
}

/** The words of a page that changes one thing. */
export interface ActionMessages {
  readonly title: string
  readonly lead: string
  readonly button: string
}

/** The words about second factors. */
export interface FactorMessages {
  /** The second step of a sign-in. */
  readonly secondTitle: string
  readonly secondFor: (username: string) => string
  readonly methods: Readonly<Record<FactorMethod, MethodMessages>>
  readonly kinds: Readonly<Record<FactorKind, string>>
  readonly sendMail: string
  readonly sendAgain: string
  readonly remember: (days: number) => string
  readonly beginAgain: string
  readonly wait: (minutes: number) => string
  readonly needScripts: string
  /** The person cancelled, or the browser found no passkey. */
  readonly passkeyFailed: string
  readonly passkeyExists: string
  readonly signInWithPasskey: string
  /** The enrolment that a sign-in needs. */
  readonly enrolTitle: string
  readonly enrolLead: string
  readonly app: ActionMessages & {
    readonly begin: string
    readonly scan: string
    readonly qr: string
    readonly secret: string
    readonly void: string
    readonly replaces: string
  }
  readonly passkey: ActionMessages
  readonly codes: ActionMessages & {
    readonly shownTitle: string
    readonly shownLead: string
    readonly label: string
    readonly copy: string
    readonly copied: string
    readonly stored: string
    readonly left: (count: number) => string
  }
  readonly due: {
    readonly title: string
    readonly before: string
    readonly later: string
    readonly setUp: string
  }
  readonly none: string
  readonly added: string
  readonly used: string
  readonly neverUsed: string
  readonly edit: (name: string) => string
  readonly editTitle: string
  readonly name: string
  readonly renameButton: string
  readonly removeTitle: string
  readonly removeLead: string
  readonly removeLast: string
  /** The same for an account that must have a second factor. */
  readonly removeLastRequired: string
  readonly removeButton: string
  readonly devicesTitle: string
  readonly devicesNone: string
  readonly devicesUntil: string
  readonly forgetButton: string
  readonly confirm: ActionMessages & { readonly instead: string; readonly password: string }
  readonly review: ActionMessages
}
