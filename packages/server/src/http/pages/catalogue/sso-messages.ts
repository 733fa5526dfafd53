/** The words of the pages on which people log in to an application. */
export interface SsoMessages {
  /** The title of the page on which a person allows something. */
  readonly title: (application: string) => string
  readonly wants: (application: string) => string
  /** Names the host to which the browser goes afterwards. */
  readonly goesTo: (host: string) => string
  readonly allow: string
  readonly deny: string
  readonly expiredTitle: string
  readonly expired: string
  readonly startAgain: string
  readonly wrongTitle: string
  readonly wrong: string
  /** Begins the sentence with the error. */
  readonly forDevelopers: string
  readonly deviceTitle: string
  readonly deviceLead: string
  readonly deviceCode: string
  readonly deviceAsks: (application: string, code: string) => string
  readonly deviceUnknown: string
  readonly deviceDone: string
  readonly deviceDenied: string
}
