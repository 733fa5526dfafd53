import type { UpstreamMessages } from './upstream-messages.ts'

/** The words about other identities in German. */
export const upstreamDe: UpstreamMessages = {
  buttons: 'Mit einem anderen Dienst anmelden',
  continueWith: (title) => `Weiter mit ${title}`,
  failedTitle: (title) => `Die Anmeldung mit ${title} hat nicht geklappt`,
  again: 'Noch einmal versuchen',
  leavingTitle: (title) => `Weiter zu ${title}`,
  none: 'Mit Ihrem Konto ist nichts verknüpft.',
  linked: 'Verknüpft',
  addTitle: 'Weitere Identität verknüpfen',
  addLead: 'Danach können Sie sich auch damit anmelden.',
  add: (title) => `${title} verknüpfen`,
  remove: (identity) => `${identity} entfernen`,
  removeButton: 'Entfernen',
}
