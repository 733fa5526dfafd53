import type { Messages } from './messages.ts'

const VOID =
  'Dieser Link ist abgelaufen, wurde schon benutzt oder durch eine neuere Mail ersetzt. Links funktionieren einmal, 15 Minuten lang.'
const ASKED =
  'Wenn die Adresse stimmt, ist eine Mail unterwegs. Öffnen Sie den Link in diesem Browser, oder geben Sie den Code hier ein.'
const OTHER_BROWSER =
  'Dieser Browser hat die Mail nicht angefordert. Geben Sie deshalb auch den Code aus der Mail ein.'

/** The pages in German. */
export const de: Messages = {
  language: 'Deutsch',
  proof: {
    reset: {
      title: 'Neues Passwort setzen',
      asker: 'Das neue Passwort beendet alle Sitzungen Ihres Kontos.',
      recipient: `${OTHER_BROWSER} Das neue Passwort beendet alle Sitzungen Ihres Kontos.`,
      waiting: ASKED,
      button: 'Passwort setzen',
      nothing:
        'Öffnen Sie den Link in Ihrer Mail, um ein neues Passwort zu setzen, oder fordern Sie eine neue Mail an.',
      void: VOID,
      again: 'Neue Mail anfordern',
    },
    'sign-up': {
      title: 'Registrierung abschließen',
      asker: 'Legen Sie Ihr Konto mit dieser Adresse und dem gewählten Passwort an.',
      recipient: `${OTHER_BROWSER} Wählen Sie dann ein Passwort. Wenn Sie sich nicht registriert haben, schließen Sie diese Seite.`,
      waiting: ASKED,
      button: 'Konto anlegen',
      nothing:
        'Öffnen Sie den Link in Ihrer Mail, um die Registrierung abzuschließen, oder registrieren Sie sich noch einmal.',
      void: VOID,
      again: 'Noch einmal registrieren',
    },
    verify: {
      title: 'Adresse bestätigen',
      asker: 'Bestätigen Sie, dass diese Adresse Ihnen gehört.',
      recipient:
        'Dieser Browser hat die Mail nicht angefordert. Wenn Sie hier angemeldet sind, geben Sie auch den Code aus der Mail ein. Öffnen Sie den Link sonst in dem Browser, der die Mail angefordert hat.',
      waiting: ASKED,
      button: 'Adresse bestätigen',
      nothing: 'Öffnen Sie den Link in Ihrer Mail, um Ihre Adresse zu bestätigen.',
      void: `${VOID} Melden Sie sich an und fordern Sie eine neue Mail an.`,
      again: 'Zur Anwendung',
    },
    'log-in': {
      title: 'Anmelden',
      asker: 'Melden Sie sich in diesem Browser bei Ihrem Konto an.',
      recipient: `${OTHER_BROWSER} Wenn Sie sich nicht anmelden wollten, schließen Sie diese Seite.`,
      waiting: ASKED,
      button: 'Anmelden',
      nothing:
        'Öffnen Sie den Link in Ihrer Mail, um sich anzumelden, oder fordern Sie eine neue Mail an.',
      void: VOID,
      again: 'Neue Mail anfordern',
    },
  },
  ask: {
    forgot: {
      title: 'Passwort vergessen?',
      lead: 'Geben Sie die Adresse Ihres Kontos ein. Sie erhalten eine Mail, mit der Sie ein neues Passwort setzen.',
      button: 'Mail senden',
    },
    'sign-up-start': {
      title: 'Registrieren',
      lead: 'Sie erhalten eine Mail, mit der Sie Ihre Adresse bestätigen. Danach gibt es Ihr Konto.',
      button: 'Registrieren',
    },
    'log-in-start': {
      title: 'Per Mail anmelden',
      lead: 'Geben Sie die Adresse Ihres Kontos ein. Sie erhalten eine Mail, mit der Sie sich anmelden.',
      button: 'Mail senden',
    },
  },
  done: {
    reset: {
      title: 'Ihr Passwort ist gesetzt',
      text: 'Alle Sitzungen Ihres Kontos sind beendet. Melden Sie sich mit dem neuen Passwort an.',
    },
    'sign-up': { title: 'Ihr Konto ist angelegt', text: 'Sie können sich jetzt anmelden.' },
    verify: { title: 'Ihre Adresse ist bestätigt', text: 'Sie können diese Seite schließen.' },
    'log-in': { title: 'Sie sind angemeldet', text: 'Dieser Browser hat jetzt eine Sitzung.' },
  },
  invite: {
    title: 'Einladung annehmen',
    lead: 'Sie müssen mit dem Konto angemeldet sein, dessen Adresse eingeladen wurde.',
    button: 'Einladung annehmen',
    done: 'Sie sind jetzt Mitglied',
    joined: (tenant) => `Sie sind ${tenant} beigetreten.`,
    loginTitle: 'Melden Sie sich zuerst an',
    login:
      'In diesem Browser ist niemand angemeldet. Melden Sie sich mit dem Konto an, dessen Adresse eingeladen wurde, oder registrieren Sie sich mit dieser Adresse. Öffnen Sie dann den Link in Ihrer Mail noch einmal.',
  },
  checkMail: 'Sehen Sie in Ihr Postfach',
  voidTitle: 'Dieser Link funktioniert nicht',
  forAddress: (masked) => `Adresse: ${masked}`,
  accountExists:
    'Sie haben mit dieser Adresse schon ein Konto. Sie können ein neues Passwort dafür setzen.',
  chooseNow: 'Der Code stimmt. Wählen Sie ein neues Passwort.',
  continueButton: 'Weiter',
  toApplication: 'Weiter zur Anwendung',
  logInByMail: 'Per Mail anmelden',
  labels: { email: 'E-Mail-Adresse', code: 'Code aus der Mail', password: 'Neues Passwort' },
  hints: { code: 'Acht Buchstaben, zum Beispiel WDJB-MJHT.', password: 'Mindestens 12 Zeichen.' },
  error: 'Fehler',
  refusals: {
    email_invalid: 'Das ist keine E-Mail-Adresse. Prüfen Sie die Schreibweise.',
    email_taken:
      'Ein anderes Konto hat diese Adresse. Melden Sie sich dort an, oder setzen Sie dessen Passwort zurück.',
    username_taken:
      'Ein Konto mit diesem Benutzernamen gibt es schon. Registrieren Sie sich noch einmal.',
    username_invalid: 'Diese Adresse kann kein Benutzername sein.',
    username_confusable: 'Diese Adresse ist einem anderen Benutzernamen zu ähnlich.',
    username_too_long: 'Diese Adresse ist zu lang. Erlaubt sind höchstens 150 Zeichen.',
    code_wrong: 'Der Code ist falsch. Nach fünf falschen Codes brauchen Sie eine neue Mail.',
    code_missing: 'Geben Sie den Code aus der Mail ein.',
    code_elsewhere: 'Dieser Browser hat die Mail nicht angefordert.',
    password_required: 'Wählen Sie ein Passwort.',
    password_too_short: 'Das Passwort ist zu kurz. Wählen Sie eines mit mindestens 12 Zeichen.',
    password_too_long: 'Das Passwort ist zu lang. Wählen Sie eines mit höchstens 4096 Bytes.',
    password_common:
      'Das Passwort steht auf einer Liste häufiger Passwörter. Wählen Sie ein anderes.',
    password_compromised:
      'Dieses Passwort ist aus einem Datenleck bekannt, und Angreifer probieren es aus. Wählen Sie ein anderes, und ändern Sie es überall, wo Sie es noch verwenden.',
    password_contains_username:
      'Das Passwort besteht vor allem aus Ihrem Benutzernamen oder dem Namen dieses Dienstes. Wählen Sie ein anderes.',
    password_malformed:
      'Das Passwort enthält ein Zeichen, das nicht gespeichert werden kann. Wählen Sie ein anderes.',
    password_queue_full:
      'Hier ist gerade zu viel los. Warten Sie einige Sekunden und versuchen Sie es noch einmal.',
    throttled: 'Zu viele Versuche. Warten Sie einige Minuten und versuchen Sie es noch einmal.',
    csrf_failed:
      'Das Formular kam von der Seite einer anderen Website. Deshalb ist nichts geschehen.',
    tenant_forbidden: 'Sie sind kein Mitglied dieses Mandanten.',
    email_unverified:
      'Ihr Konto hat keine bestätigte Adresse. Bestätigen Sie zuerst die eingeladene Adresse.',
    invitation_void:
      'Diese Einladung ist abgelaufen, wurde benutzt, zurückgezogen oder noch einmal verschickt.',
    invitation_for_another:
      'Diese Einladung gilt für eine andere Adresse. Melden Sie sich mit dem Konto an, dessen Adresse eingeladen wurde.',
    tenant_disabled:
      'Zurzeit kann niemand beitreten. Fragen Sie die Person, die Sie eingeladen hat.',
    credentials_invalid: 'Dieses Konto kann sich nicht anmelden.',
  },
  failures: {
    request: {
      title: 'Das Formular ist nicht lesbar',
      text: 'Gehen Sie zurück und versuchen Sie es noch einmal.',
    },
    method: {
      title: 'So funktioniert diese Seite nicht',
      text: 'Öffnen Sie den Link in Ihrer Mail noch einmal.',
    },
    server: {
      title: 'Etwas ist schiefgegangen',
      text: 'Der Server kann das gerade nicht. Warten Sie einige Sekunden und versuchen Sie es noch einmal.',
    },
  },
}
