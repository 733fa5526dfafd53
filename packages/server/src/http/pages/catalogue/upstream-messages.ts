/** The words about identities of other issuers. `title` is the name of a provider. */
export interface UpstreamMessages {
  /** Names the group of buttons for people who hear the page. */
  readonly buttons: string
  readonly continueWith: (title: string) => string
  readonly failedTitle: (title: string) => string
  readonly again: string
  /** The page that leads to a provider at once. */
  readonly leavingTitle: (title: string) => string
  readonly none: string
  readonly linked: string
  readonly addTitle: string
  readonly addLead: string
  readonly add: (title: string) => string
  /** Names the identity for people who hear the button without its row. */
  readonly remove: (identity: string) => string
  readonly removeButton: string
}
