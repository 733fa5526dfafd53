import type { UpstreamMessages } from './upstream-messages.ts'

/** The words about other identities in English. */
export const upstreamEn: UpstreamMessages = {
  buttons: 'Log in with another service',
  continueWith: (title) => `Continue with ${title}`,
  failedTitle: (title) => `The log-in with ${title} did not work`,
  again: 'Try again',
  leavingTitle: (title) => `Going to ${title}`,
  none: 'Nothing is linked to your account.',
  linked: 'Linked',
  addTitle: 'Link another identity',
  addLead: 'You can then log in with it.',
  add: (title) => `Link ${title}`,
  remove: (identity) => `Remove ${identity}`,
  removeButton: 'Remove',
}
