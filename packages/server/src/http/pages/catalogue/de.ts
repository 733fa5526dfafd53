import { factorsDe } from './factors-de.ts'
import type { Messages } from './messages.ts'
import { ssoDe } from './sso-de.ts'
import { upstreamDe } from './upstream-de.ts'

const VOID =
  'Dieser Link ist abgelaufen, wurde schon benutzt oder durch eine neuere Mail ersetzt. Links funktionieren einmal, 15 Minuten lang.'
const ASKED =
  'Wenn die Adresse stimmt, ist eine Mail unterwegs. Öffnen Sie den Link in diesem Browser, oder geben Sie den Code hier ein.'
const OTHER_BROWSER =
  'Dieser Browser hat die Mail nicht angefordert. Geben Sie deshalb auch den Code aus der Mail ein.'

/** The pages in German. */
export const de: Messages = {
  language: 'Deutsch',
  site: { imprint: 'Impressum', privacy: 'Datenschutz', terms: 'Bedingungen', support: 'Hilfe' },
  signIn: {
    title: 'Anmelden',
    password: 'Passwort',
    wrong:
      'Der Benutzername oder das Passwort ist falsch. Prüfen Sie beides und versuchen Sie es noch einmal.',
    signedInTitle: 'Sie sind angemeldet',
    signedInAs: (username) => `In diesem Browser ist ${username} angemeldet.`,
    other: 'Anderes Konto verwenden',
    notices: {
      'signed-up': 'Ihr Konto ist angelegt. Melden Sie sich jetzt an.',
      'signed-out': 'Sie sind abgemeldet.',
      'all-ended': 'Alle Sitzungen Ihres Kontos sind beendet, auch diese.',
      deleted: 'Ihr Konto ist gelöscht.',
      expired: 'Die Anmeldung wurde abgeschlossen oder ist abgelaufen. Melden Sie sich wieder an.',
    },
  },
  signUp: {
    title: 'Registrieren',
    lead: 'Wählen Sie einen Benutzernamen und ein Passwort. Eine E-Mail-Adresse können Sie später angeben.',
    username: 'Benutzername',
  },
  account: {
    title: 'Ihr Konto',
    signedInAs: (username) => `Angemeldet als ${username}.`,
    signOut: 'Abmelden',
    sections: {
      username: {
        title: 'Benutzername',
        about: 'Ändern Sie den Namen, mit dem Sie sich anmelden.',
        lead: 'Mit diesem Namen melden Sie sich an. Ein Name, der eine E-Mail-Adresse ist, muss Ihre bestätigte Adresse sein.',
        button: 'Benutzernamen ändern',
      },
      address: {
        title: 'E-Mail-Adresse',
        about: 'Bestätigen oder ändern Sie Ihre Adresse.',
        lead: 'An diese Adresse kommen Mails zu Ihrem Konto.',
        button: 'Mail senden',
      },
      password: {
        title: 'Passwort',
        about: 'Wählen Sie ein neues Passwort.',
        lead: 'Das neue Passwort beendet alle anderen Sitzungen Ihres Kontos.',
        button: 'Passwort ändern',
      },
      factors: {
        title: 'Zweite Faktoren',
        about:
          'Fügen Sie eine Authenticator-App oder einen Passkey hinzu, und verwalten Sie Ihre Wiederherstellungscodes.',
        lead: 'Sie melden sich mit Ihrem Passwort und einem davon an, oder nur mit einem Passkey.',
        button: 'Hinzufügen',
      },
      identities: {
        title: 'Andere Identitäten',
        about: 'Melden Sie sich mit einem Konto an, das Sie bei einem anderen Dienst haben.',
        lead: 'Sie können sich mit jeder davon anmelden.',
        button: 'Verknüpfen',
      },
      sessions: {
        title: 'Geräte',
        about: 'Sehen Sie, wo Sie angemeldet sind, und beenden Sie Sitzungen.',
        lead: 'Ihr Konto ist auf diesen Geräten angemeldet. Wenn Sie eines nicht kennen, beenden Sie seine Sitzung und ändern Sie Ihr Passwort.',
        button: 'Beenden',
      },
      applications: {
        title: 'Anwendungen',
        about:
          'Sehen Sie, welche Anwendungen Ihr Konto verwenden dürfen, und entziehen Sie ihnen den Zugriff.',
        lead: 'Sie haben diesen Anwendungen erlaubt, Ihr Konto zu verwenden. Ohne Zugriff fragt eine Anwendung Sie bei der nächsten Anmeldung dort erneut.',
        button: 'Zugriff entziehen',
      },
      activity: {
        title: 'Letzte Ereignisse',
        about: 'Sehen Sie, was mit Ihrem Konto geschehen ist.',
        lead: 'Was mit Ihrem Konto geschehen ist, das Neueste zuerst. Wenn Sie etwas nicht selbst waren, ändern Sie Ihr Passwort.',
        button: 'Ältere',
      },
      tenants: {
        title: 'Organisationen',
        about: 'Sehen Sie Mitgliedschaften und Einladungen, und wechseln Sie die Organisation.',
        lead: 'Sie sind Mitglied dieser Organisationen.',
        button: 'Zu dieser Organisation wechseln',
      },
      delete: {
        title: 'Ihre Daten',
        about: 'Speichern Sie Ihre Daten, oder löschen Sie Ihr Konto.',
        lead: 'Das löscht Ihr Konto und beendet alle seine Sitzungen. Niemand kann es rückgängig machen. Anwendungen können eigene Daten behalten.',
        button: 'Konto löschen',
      },
    },
    notices: {
      username: 'Ihr Benutzername ist geändert.',
      password: 'Ihr Passwort ist geändert. Alle anderen Sitzungen sind beendet.',
      session: 'Die Sitzung ist beendet.',
      others: 'Alle anderen Sitzungen sind beendet.',
      application: 'Die Anwendung hat keinen Zugriff mehr.',
      tenant: 'Die Organisation ist gewechselt.',
      joined: 'Sie sind jetzt Mitglied.',
      declined: 'Die Einladung ist abgelehnt.',
      'factor-added': 'Der Faktor ist hinzugefügt. Er gilt ab der nächsten Anmeldung.',
      'factor-renamed': 'Der Name ist geändert.',
      'factor-removed': 'Der Faktor ist entfernt. Alle anderen Sitzungen sind beendet.',
      'devices-forgotten': 'Alle gemerkten Browser sind vergessen.',
      'identity-added': 'Die Identität ist verknüpft. Sie können sich damit anmelden.',
      'identity-removed': 'Die Identität ist aus Ihrem Konto entfernt.',
    },
    wrongPassword: 'Das Passwort ist falsch. Versuchen Sie es noch einmal.',
    usernameRefusals: {
      username_invalid: 'Dieser Name ist nicht erlaubt. Wählen Sie einen anderen.',
      username_confusable:
        'Dieser Name ist einem anderen Benutzernamen zu ähnlich. Wählen Sie einen anderen.',
      username_too_long: 'Dieser Name ist zu lang. Erlaubt sind höchstens 150 Zeichen.',
      username_taken: 'Ein anderes Konto hat diesen Namen. Wählen Sie einen anderen.',
    },
    address: {
      none: 'Ihr Konto hat keine Adresse.',
      current: (address) => `Ihre Adresse: ${address}`,
      unverified:
        'Diese Adresse ist nicht bestätigt. Bestätigen Sie sie, damit Sie Ihr Passwort zurücksetzen können.',
      verify: 'Mail zum Bestätigen senden',
      changeTitle: 'Andere Adresse verwenden',
      changeLead:
        'Sie bekommen eine Mail an die neue Adresse. Bis Sie diese bestätigen, behält Ihr Konto die alte.',
    },
    sessions: {
      current: 'Dieses Gerät',
      begun: 'Angemeldet:',
      used: 'Zuletzt verwendet:',
      from: (address) => `Von ${address}`,
      end: (device) => `Sitzung beenden: ${device}`,
      endOthers: 'Alle anderen Sitzungen beenden',
      endAll: 'Alle Sitzungen beenden, auch diese',
    },
    applications: {
      none: 'Sie haben keiner Anwendung erlaubt, Ihr Konto zu verwenden.',
      since: 'Erlaubt:',
      disabled: 'Abgeschaltet',
      scopes: {
        openid: 'Sie wiedererkennen, wenn Sie sich dort anmelden',
        profile: 'Ihren Benutzernamen sehen',
        email: 'Ihre E-Mail-Adresse sehen',
        offline_access: 'Ihr Konto verwenden, wenn Sie nicht da sind, bis Ihre Sitzung endet',
      },
      otherScope: (scope) => `Die Berechtigung „${scope}“ verwenden`,
      resource: (resource) => `${resource} für Sie verwenden`,
      revoke: (title) => `Zugriff entziehen: ${title}`,
    },
    activity: {
      none: 'Es ist noch nichts geschehen.',
      older: 'Ältere Ereignisse',
      from: (address) => `Von ${address}`,
      byOthers: 'Durch die Verwaltung oder den Server',
      refused: 'Abgelehnt',
      events: {
        account_created: 'Konto angelegt',
        account_disabled: 'Konto gesperrt',
        account_enabled: 'Konto entsperrt',
        password_changed: 'Passwort geändert',
        role_added: 'Rolle hinzugefügt',
        role_removed: 'Rolle entfernt',
        member_added: 'Mitglied einer Organisation geworden, oder Rollen dort geändert',
        member_removed: 'Mitgliedschaft in einer Organisation beendet',
        default_tenant_set: 'Organisation für Anmeldungen geändert',
        invitation_accepted: 'Einladung angenommen',
        invitation_declined: 'Einladung abgelehnt',
        invitation_created: 'Einladung verschickt',
        invitation_resent: 'Einladung noch einmal verschickt',
        invitation_withdrawn: 'Einladung zurückgezogen',
        account_changed: 'Rollen durch die Anwendung geändert',
        sessions_ended: 'Sitzungen beendet',
        login: 'Angemeldet',
        logout: 'Abgemeldet',
        session_ended: 'Sitzung beendet',
        refresh_reused: 'Sitzung beendet, weil eine Kopie ihres Tokens verwendet wurde',
        refresh_elsewhere: 'Eine Sitzung wurde an zwei Orten zugleich verwendet',
        refresh_ahead: 'Sitzung beendet, weil der Server Daten verloren hatte',
        refresh_healed: 'Sitzung repariert',
        token_revoked: 'Token widerrufen',
        code_sent: 'Mail mit einem Code verschickt',
        code_refused: 'Falscher Code aus einer Mail',
        password_reset: 'Passwort per Mail zurückgesetzt',
        email_verified: 'Adresse bestätigt',
        email_changed: 'Adresse geändert',
        email_removed: 'Adresse entfernt',
        account_reclaimed: 'Konto durch den Inhaber der Adresse übernommen',
        account_renamed: 'Benutzername geändert',
        account_exported: 'Daten gespeichert',
        second_factor_asked: 'Nach dem zweiten Faktor gefragt',
        factor_added: 'Zweiter Faktor hinzugefügt',
        factor_removed: 'Zweiter Faktor entfernt',
        factor_renamed: 'Zweiter Faktor umbenannt',
        factor_refused: 'Falscher zweiter Faktor',
        factors_reset: 'Zweite Faktoren zurückgesetzt',
        recovery_codes_replaced: 'Neue Wiederherstellungscodes erzeugt',
        recovery_code_used: 'Wiederherstellungscode verwendet',
        stepped_up: 'Mit einem weiteren Nachweis bestätigt',
        device_trusted: 'Browser gemerkt',
        devices_forgotten: 'Gemerkte Browser vergessen',
        consent_given: 'Anwendung darf das Konto verwenden',
        consent_revoked: 'Anwendung den Zugriff entzogen',
        grant_revoked: 'Zugriff einer Anwendung in einer Sitzung beendet',
        logout_not_delivered: 'Eine Anwendung hat nicht erfahren, dass eine Sitzung beendet ist',
        identity_linked: 'Identität eines anderen Dienstes verknüpft',
        identity_unlinked: 'Identität eines anderen Dienstes entfernt',
      },
      other: 'Anderes Ereignis',
    },
    tenants: {
      none: 'Sie sind nicht Mitglied einer Organisation.',
      current: 'Aktuell',
      enter: (tenant) => `Zu ${tenant} wechseln`,
      leaveCurrent: 'Ohne Organisation weiter',
      chooseTitle: 'Organisation wählen',
      chooseLead: 'Für welche Organisation möchten Sie arbeiten? Sie können sie später wechseln.',
      skip: 'Weiter, ohne zu wählen',
      invitationsTitle: 'Einladungen',
      invitation: (tenant, inviter) =>
        inviter === undefined
          ? `Sie sind zu ${tenant} eingeladen.`
          : `${inviter} lädt Sie zu ${tenant} ein.`,
      accept: (tenant) => `${tenant} beitreten`,
      decline: (tenant) => `${tenant} ablehnen`,
    },
    exportTitle: 'Daten speichern',
    exportLead: 'Sie bekommen eine Datei mit allem, was dieser Server über Sie speichert.',
    exportButton: 'Als Datei speichern',
  },
  factors: factorsDe,
  sso: ssoDe,
  upstream: upstreamDe,
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
      again: 'Zu Ihrem Konto',
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
  },
  invite: {
    title: 'Einladung annehmen',
    lead: 'Sie müssen mit dem Konto angemeldet sein, dessen Adresse eingeladen wurde.',
    button: 'Einladung annehmen',
    done: 'Sie sind jetzt Mitglied',
    joined: (tenant) => `Sie sind ${tenant} beigetreten.`,
    loginTitle: 'Melden Sie sich zuerst an',
    login:
      'In diesem Browser ist niemand angemeldet. Melden Sie sich mit dem Konto an, dessen Adresse eingeladen wurde, oder registrieren Sie sich mit dieser Adresse.',
  },
  checkMail: 'Sehen Sie in Ihr Postfach',
  voidTitle: 'Dieser Link funktioniert nicht',
  forAddress: (masked) => `Adresse: ${masked}`,
  accountExists:
    'Sie haben mit dieser Adresse schon ein Konto. Sie können ein neues Passwort dafür setzen.',
  chooseNow: 'Der Code stimmt. Wählen Sie ein neues Passwort.',
  continueButton: 'Weiter',
  again: 'Einen Moment',
  toApplication: 'Weiter zur Anwendung',
  logInByMail: 'Per Mail anmelden',
  labels: {
    email: 'E-Mail-Adresse',
    code: 'Code aus der Mail',
    password: 'Neues Passwort',
    username: 'Benutzername oder E-Mail-Adresse',
    current_password: 'Aktuelles Passwort',
    new_username: 'Neuer Benutzername',
    totp: 'Code aus der App',
    recovery_code: 'Wiederherstellungscode',
    factor_name: 'Name (freiwillig)',
  },
  hints: {
    totp: 'Sechs Ziffern.',
    recovery_code: 'Sechzehn Buchstaben, zum Beispiel BCDF-GHJK-LMNP-QRST.',
    code: 'Acht Buchstaben, zum Beispiel WDJB-MJHT.',
    password: 'Mindestens 12 Zeichen.',
  },
  error: 'Fehler',
  refusals: {
    fields_invalid: 'Ein Feld ist leer oder nicht gültig. Füllen Sie alle Felder aus.',
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
    tenant_forbidden: 'Sie sind kein Mitglied dieser Organisation.',
    email_unverified:
      'Ihr Konto hat keine bestätigte Adresse. Bestätigen Sie zuerst die eingeladene Adresse.',
    invitation_void:
      'Diese Einladung ist abgelaufen, wurde benutzt, zurückgezogen oder noch einmal verschickt.',
    invitation_for_another:
      'Diese Einladung gilt für eine andere Adresse. Melden Sie sich mit dem Konto an, dessen Adresse eingeladen wurde.',
    tenant_disabled:
      'Zurzeit kann niemand beitreten. Fragen Sie die Person, die Sie eingeladen hat.',
    credentials_invalid: 'Dieses Konto kann sich nicht anmelden.',
    session_ended: 'Ihre Sitzung ist beendet. Melden Sie sich wieder an.',
    factor_wrong:
      'Der Code ist falsch, abgelaufen oder wurde schon benutzt. Geben Sie den nächsten Code ein.',
    factor_locked:
      'Zu viele falsche Codes. Dieser Weg ist deshalb gesperrt. Wählen Sie einen anderen, oder fragen Sie die Betreiber dieses Dienstes.',
    factor_unavailable: 'Ihr Konto kann diesen Weg nicht verwenden. Wählen Sie einen anderen.',
    factors_full:
      'Sie haben schon so viele Passkeys, wie ein Konto haben darf. Entfernen Sie zuerst einen.',
    challenge_void:
      'Diese Seite wurde schon benutzt oder ist zu alt. Versuchen Sie es noch einmal.',
    passkey_unknown:
      'Dieser Passkey wurde entfernt oder gehört zu einer anderen Seite. Nehmen Sie einen anderen Weg.',
    passkey_refused:
      'Der Passkey wurde nicht angenommen. Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.',
    passkey_taken: 'Dieser Passkey ist schon in Gebrauch. Verwenden Sie ein anderes Gerät.',
    passkeys_off: 'Dieser Server kann keine Passkeys verwenden. Wählen Sie einen anderen Weg.',
    upstream_void:
      'Diese Anmeldung wurde abgeschlossen, ist abgelaufen oder wurde in einem anderen Browser begonnen. Beginnen Sie noch einmal.',
    upstream_refused: 'Der andere Dienst hat nicht bestätigt, wer Sie sind.',
    upstream_unavailable:
      'Der andere Dienst ist nicht erreichbar. Versuchen Sie es gleich noch einmal, oder melden Sie sich anders an.',
    upstream_redirect_invalid:
      'Die Anwendung, von der Sie kommen, ist bei diesem Server nicht eingerichtet. Sagen Sie es dem Betreiber der Anwendung.',
    identity_unknown:
      'Kein Konto hat diese Identität. Melden Sie sich anders an, und verknüpfen Sie die Identität auf der Seite Ihres Kontos.',
    identity_address_taken:
      'Ein Konto hat die Adresse dieser Identität schon. Melden Sie sich anders bei diesem Konto an, und verknüpfen Sie die Identität auf der Seite Ihres Kontos.',
    identity_taken:
      'Ein Konto hat diese Identität schon. Melden Sie sich bei diesem Konto an, und entfernen Sie sie zuerst dort.',
    identity_last:
      'Ohne diese Identität könnten Sie sich nicht mehr anmelden. Setzen Sie zuerst ein Passwort, fügen Sie einen Passkey hinzu, oder verknüpfen Sie eine andere Identität.',
    second_factor_required:
      'Ihr Konto braucht einen zweiten Faktor. Melden Sie sich mit der Anwendung an.',
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
    cookies: {
      title: 'Ihre Cookies sind beschädigt',
      text: 'Dieser Browser hat ein Cookie dieser Website doppelt. Löschen Sie die Cookies dieser Website und melden Sie sich wieder an.',
    },
    old: {
      title: 'Dieses Formular ist veraltet',
      text: 'Sie haben sich seit dem Öffnen der Seite neu angemeldet. Deshalb ist nichts geschehen. Öffnen Sie die Seite noch einmal.',
    },
    server: {
      title: 'Etwas ist schiefgegangen',
      text: 'Der Server kann das gerade nicht. Warten Sie einige Sekunden und versuchen Sie es noch einmal.',
    },
  },
}
