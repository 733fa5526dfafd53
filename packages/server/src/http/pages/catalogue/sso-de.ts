import type { SsoMessages } from './sso-messages.ts'

/** The words about applications in German. */
export const ssoDe: SsoMessages = {
  title: (application) => `${application} erlauben?`,
  wants: (application) => `${application} möchte:`,
  goesTo: (host) => `Danach kehren Sie zu ${host} zurück.`,
  allow: 'Erlauben',
  deny: 'Nicht erlauben',
  expiredTitle: 'Diese Anmeldung ist abgelaufen',
  expired:
    'Die Anmeldung hat zu lange gedauert, wurde in einem anderen Tab abgeschlossen oder in einem anderen Browser begonnen. Gehen Sie zur Anwendung zurück und melden Sie sich dort erneut an.',
  startAgain: 'Neu beginnen',
  wrongTitle: 'Diese Anmeldung kann nicht fortgesetzt werden',
  wrong: 'Die Anwendung hat eine falsche Anfrage gesendet. Sie hat keine Daten erhalten.',
  forDevelopers: 'Für die Entwickler der Anwendung:',
  deviceTitle: 'Gerät verbinden',
  deviceLead:
    'Geben Sie den Code ein, den Ihr Gerät zeigt. Fahren Sie nur fort, wenn Sie dies gerade auf Ihrem eigenen Gerät begonnen haben.',
  deviceCode: 'Code',
  deviceAsks: (application, code) =>
    `Ein Gerät mit dem Code ${code} möchte Ihr Konto mit ${application} verwenden. Vergleichen Sie den Code mit dem Gerät. Es möchte:`,
  deviceUnknown:
    'Dieser Code ist falsch, abgelaufen oder wurde schon verwendet. Prüfen Sie ihn, oder holen Sie auf Ihrem Gerät einen neuen.',
  deviceDone: 'Das Gerät ist verbunden. Sie können diese Seite schließen.',
  deviceDenied: 'Das Gerät ist nicht verbunden. Sie können diese Seite schließen.',
}
