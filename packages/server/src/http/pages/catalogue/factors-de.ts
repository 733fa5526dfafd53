import type { FactorMessages } from './factor-messages.ts'

/** The words about second factors in German. */
export const factorsDe: FactorMessages = {
  secondTitle: 'Bestätigen Sie, dass Sie es sind',
  secondFor: (username) => `Zweiter Schritt der Anmeldung als ${username}.`,
  methods: {
    totp: {
      lead: 'Geben Sie den Code ein, den Ihre Authenticator-App anzeigt.',
      button: 'Weiter',
      choose: 'Authenticator-App verwenden',
    },
    passkey: {
      lead: 'Bestätigen Sie mit dem Gerät, auf dem Ihr Passkey liegt.',
      button: 'Passkey verwenden',
      choose: 'Passkey verwenden',
    },
    recovery_code: {
      lead: 'Geben Sie einen der Wiederherstellungscodes ein, die Sie aufbewahrt haben. Jeder gilt einmal.',
      button: 'Weiter',
      choose: 'Wiederherstellungscode verwenden',
    },
    mail: {
      lead: 'Sie bekommen einen Code an die Adresse Ihres Kontos.',
      button: 'Weiter',
      choose: 'Code aus einer Mail verwenden',
    },
  },
  kinds: { totp: 'Authenticator-App', passkey: 'Passkey' },
  sendMail: 'Code senden',
  sendAgain: 'Neuen Code senden',
  remember: (days) =>
    days === 1
      ? 'In diesem Browser einen Tag lang nicht fragen'
      : `In diesem Browser ${days} Tage lang nicht fragen`,
  beginAgain: 'Von vorn beginnen oder ein anderes Konto verwenden',
  wait: (minutes) =>
    minutes === 1
      ? 'Zu viele falsche Codes. Warten Sie eine Minute und geben Sie dann den nächsten Code ein.'
      : `Zu viele falsche Codes. Warten Sie ${minutes} Minuten und geben Sie dann den nächsten Code ein.`,
  needScripts:
    'Passkeys brauchen Skripte, und dieser Browser führt keine aus. Schalten Sie Skripte ein, oder wählen Sie unten einen anderen Weg.',
  passkeyFailed:
    'Der Passkey wurde nicht verwendet. Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.',
  passkeyExists: 'Dieses Gerät hat schon einen Passkey für Ihr Konto.',
  signInWithPasskey: 'Mit Passkey anmelden',
  enrolTitle: 'Schützen Sie Ihr Konto',
  enrolLead:
    'Ihr Konto braucht einen zweiten Faktor, damit ein gestohlenes Passwort nicht genügt. Richten Sie einen davon ein, um sich anzumelden.',
  app: {
    title: 'Authenticator-App',
    lead: 'Eine App auf Ihrem Telefon zeigt alle 30 Sekunden einen neuen Code. Öffnen Sie die App, bevor Sie weitergehen.',
    begin: 'Authenticator-App einrichten',
    scan: 'Scannen Sie dieses Bild mit der App. Geben Sie dann den Code ein, den die App anzeigt.',
    qr: 'QR-Code für die Authenticator-App. Der Schlüssel darunter hat denselben Inhalt.',
    secret: 'Oder tippen Sie diesen Schlüssel in die App ein:',
    button: 'Code bestätigen',
    void: 'Dieser QR-Code ist abgelaufen oder wurde in einem anderen Tab ersetzt. Beginnen Sie von vorn und scannen Sie den neuen.',
    replaces: 'Die neue App ersetzt die App, die Sie jetzt haben.',
  },
  passkey: {
    title: 'Passkey hinzufügen',
    lead: 'Mit einem Passkey melden Sie sich per Fingerabdruck, Gesicht oder PIN Ihres Geräts an. Eine gefälschte Seite kann ihn nicht stehlen.',
    button: 'Passkey hinzufügen',
  },
  codes: {
    title: 'Wiederherstellungscodes',
    lead: 'Mit Wiederherstellungscodes melden Sie sich an, wenn Sie Ihre anderen Faktoren verloren haben. Neue Codes ersetzen die alten sofort.',
    button: 'Neue Wiederherstellungscodes erzeugen',
    shownTitle: 'Bewahren Sie Ihre Wiederherstellungscodes auf',
    shownLead:
      'Wenn Sie Ihr Telefon oder Ihren Passkey verlieren, meldet einer dieser Codes Sie an. Jeder gilt einmal. Drucken Sie sie aus oder speichern Sie sie in einem Passwortmanager: Sie werden nicht noch einmal angezeigt.',
    label: 'Wiederherstellungscodes',
    copy: 'Codes kopieren',
    copied: 'Kopiert',
    stored: 'Ich habe sie aufbewahrt',
    left: (count) =>
      count === 1
        ? 'Ein Wiederherstellungscode ist übrig.'
        : `${count} Wiederherstellungscodes sind übrig.`,
  },
  due: {
    title: 'Richten Sie einen zweiten Faktor ein',
    before:
      'Ihr Konto braucht einen zweiten Faktor. Ab diesem Zeitpunkt können Sie sich ohne ihn nicht mehr anmelden:',
    later: 'Nicht jetzt',
    setUp: 'Zweiten Faktor einrichten',
  },
  none: 'Sie haben keinen zweiten Faktor. Fügen Sie einen hinzu, damit ein gestohlenes Passwort nicht zur Anmeldung genügt.',
  added: 'Hinzugefügt:',
  used: 'Zuletzt verwendet:',
  neverUsed: 'Noch nicht verwendet',
  edit: (name) => `Umbenennen oder entfernen: ${name}`,
  editTitle: 'Umbenennen oder entfernen',
  name: 'Name',
  renameButton: 'Umbenennen',
  removeTitle: 'Entfernen',
  removeLead:
    'Sie können sich damit nicht mehr anmelden. Alle anderen Sitzungen Ihres Kontos enden.',
  removeLastRequired:
    'Es ist Ihr letzter Faktor, und dieses Konto braucht einen. Sie werden gebeten, einen anderen einzurichten. Ihre Wiederherstellungscodes werden mit entfernt.',
  removeLast:
    'Es ist Ihr letzter Faktor. Ihre Wiederherstellungscodes werden mit ihm entfernt, und Ihr Passwort allein genügt zur Anmeldung.',
  removeButton: 'Entfernen',
  devicesTitle: 'Gemerkte Browser',
  devicesNone: 'Jeder Browser wird nach Ihrem zweiten Faktor gefragt.',
  devicesUntil: 'Nicht gefragt bis',
  forgetButton: 'Alle gemerkten Browser vergessen',
  confirm: {
    title: 'Bestätigen Sie, dass Sie es sind',
    lead: 'Das ändert, wie Sie sich anmelden. Bestätigen Sie deshalb zuerst, wer Sie sind. Danach kommen Sie zurück.',
    button: 'Bestätigen',
    instead: 'Stattdessen neu anmelden',
    password: 'Geben Sie Ihr Passwort ein.',
  },
  review: {
    title: 'Gehört das alles Ihnen?',
    lead: 'Ihr Passwort wurde zurückgesetzt. Sehen Sie Ihr Konto durch: Wer das alte Passwort kannte, kann etwas hinterlassen haben.',
    button: 'Das gehört alles mir',
  },
}
