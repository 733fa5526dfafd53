import type { ShownOf } from '../kinds.ts'
import type { Catalogue } from './message.ts'

/** The mails in German. */
export const de: Catalogue = {
  codeLabel:
    'Falls sich der Link nicht in dem Browser öffnet, den Sie benutzt haben, geben Sie dort diesen Code ein:',
  messages: {
    sign_up: ({ site, lifetime }) => ({
      subject: `Schließen Sie Ihre Registrierung bei ${site} ab`,
      lead: [
        `Jemand hat sich mit dieser E-Mail-Adresse bei ${site} registriert. Bestätigen Sie, dass Sie es waren.`,
      ],
      action: 'Adresse bestätigen',
      end: [
        valid(lifetime),
        'Wenn Sie es nicht waren, müssen Sie nichts tun. Es wird kein Konto angelegt.',
      ],
    }),
    account_exists: ({ site, lifetime }) => ({
      subject: `Sie haben schon ein Konto bei ${site}`,
      lead: [
        `Jemand hat sich mit dieser E-Mail-Adresse bei ${site} registriert. Sie haben schon ein Konto, deshalb wurde kein neues angelegt.`,
        'Wenn Sie Ihr Passwort vergessen haben, können Sie ein neues setzen:',
      ],
      action: 'Neues Passwort setzen',
      end: [
        valid(lifetime),
        'Wenn Sie es nicht waren, müssen Sie nichts tun. Ihr Konto ist unverändert.',
      ],
    }),
    verify_address: ({ site, username, lifetime }) => ({
      subject: `Bestätigen Sie Ihre Adresse für ${site}`,
      lead: [
        `Bestätigen Sie, dass diese E-Mail-Adresse zum Konto „${username}“ bei ${site} gehört.`,
      ],
      action: 'Adresse bestätigen',
      end: [valid(lifetime), 'Wenn Sie dieses Konto nicht kennen, müssen Sie nichts tun.'],
    }),
    change_address: ({ site, username, lifetime }) => ({
      subject: `Bestätigen Sie Ihre neue Adresse für ${site}`,
      lead: [
        `Das Konto „${username}“ bei ${site} soll diese E-Mail-Adresse verwenden. Bestätigen Sie, dass sie Ihnen gehört.`,
      ],
      action: 'Diese Adresse verwenden',
      end: [valid(lifetime), 'Wenn Sie dieses Konto nicht kennen, müssen Sie nichts tun.'],
    }),
    address_changed: ({ site, newAddress, time }) => ({
      subject: `Ihre Adresse bei ${site} wurde geändert`,
      lead: [`Die E-Mail-Adresse Ihres Kontos bei ${site} wurde in ${newAddress} geändert.`, time],
      end: [
        `Wenn Sie es nicht waren, kann jemand anderes Ihr Konto benutzen. Wenden Sie sich sofort an den Betreiber von ${site}.`,
      ],
    }),
    reset_password: ({ site, username, lifetime }) => ({
      subject: `Setzen Sie ein neues Passwort für ${site}`,
      lead: [`Jemand hat ein neues Passwort für Ihr Konto „${username}“ bei ${site} angefordert.`],
      action: 'Neues Passwort setzen',
      end: [
        valid(lifetime),
        'Ein neues Passwort beendet alle Sitzungen. Wenn Sie es nicht waren, müssen Sie nichts tun. Ihr Passwort bleibt gleich.',
      ],
    }),
    password_changed: (values) => ({
      subject: `Ihr Passwort bei ${values.site} wurde geändert`,
      lead: [`Das Passwort Ihres Kontos bei ${values.site} wurde geändert.`, ...trace(values)],
      end: [`Wenn Sie es nicht waren, setzen Sie bei ${values.site} sofort ein neues Passwort.`],
    }),
    login_code: ({ site, lifetime }) => ({
      subject: `Anmelden bei ${site}`,
      lead: [`Jemand möchte sich mit dieser E-Mail-Adresse bei ${site} anmelden.`],
      action: 'Anmelden',
      end: [
        valid(lifetime),
        'Wenn Sie es nicht waren, müssen Sie nichts tun. Geben Sie den Code niemals weiter, egal wer danach fragt.',
      ],
    }),
    new_device: (values) => ({
      subject: `Neues Gerät bei ${values.site}`,
      lead: [
        `Jemand hat sich mit einem neuen Gerät bei Ihrem Konto bei ${values.site} angemeldet.`,
        ...trace(values),
      ],
      end: [
        `Wenn Sie es nicht waren, ändern Sie Ihr Passwort bei ${values.site}. Das beendet alle Sitzungen.`,
      ],
    }),
    invitation: ({ site, tenant, inviter, lifetime }) => ({
      subject: `Einladung zu „${tenant}“ bei ${site}`,
      lead: [
        inviter === ''
          ? `Sie sind eingeladen, „${tenant}“ bei ${site} beizutreten.`
          : `„${inviter}“ lädt Sie ein, „${tenant}“ bei ${site} beizutreten.`,
      ],
      action: 'Einladung öffnen',
      end: [valid(lifetime), 'Wenn Sie diese Einladung nicht erwarten, müssen Sie nichts tun.'],
    }),
    account_deleted: ({ site, username, time }) => ({
      subject: `Ihr Konto bei ${site} wurde gelöscht`,
      lead: [`Ihr Konto „${username}“ bei ${site} wurde gelöscht.`, time],
      end: [`Wenn Sie es nicht waren, wenden Sie sich an den Betreiber von ${site}.`],
    }),
    factor_changed: (values) => ({
      subject: `Die Anmeldung Ihres Kontos bei ${values.site} wurde geändert`,
      lead: [`${CHANGES[values.change] ?? CHANGES['factors_reset']}`, ...trace(values)],
      end: [
        `Wenn Sie es nicht waren, setzen Sie bei ${values.site} sofort ein neues Passwort, und prüfen Sie, wie sich Ihr Konto anmeldet.`,
      ],
    }),
    factor_code: ({ site, lifetime }) => ({
      subject: `Ihr Code für ${site}`,
      lead: [
        `Jemand mit Ihrem Passwort meldet sich bei ${site} an. Geben Sie dort diesen Code ein:`,
      ],
      end: [
        `Der Code funktioniert einmal. Gültigkeit: ${lifetime}.`,
        'Wenn Sie es nicht waren, ändern Sie Ihr Passwort. Geben Sie den Code niemals weiter, egal wer danach fragt.',
      ],
    }),
  },
}

const CHANGES: Readonly<Record<string, string>> = {
  totp_added: 'Zu Ihrem Konto wurde eine Authenticator-App hinzugefügt.',
  totp_removed: 'Die Authenticator-App wurde aus Ihrem Konto entfernt.',
  passkey_added: 'Zu Ihrem Konto wurde ein Passkey hinzugefügt.',
  passkey_removed: 'Ein Passkey wurde aus Ihrem Konto entfernt.',
  recovery_codes_replaced:
    'Für Ihr Konto wurden neue Wiederherstellungscodes erstellt. Die alten funktionieren nicht mehr.',
  recovery_code_used:
    'Jemand hat sich mit einem Wiederherstellungscode bei Ihrem Konto angemeldet.',
  factors_reset: 'Der Betreiber hat zweite Faktoren aus Ihrem Konto entfernt.',
  identity_added:
    'Mit Ihrem Konto wurde eine Identität eines anderen Dienstes verknüpft. Sie kann sich anmelden.',
  identity_removed: 'Eine Identität eines anderen Dienstes wurde aus Ihrem Konto entfernt.',
  account_reclaimed:
    'Jemand hat bei einem anderen Dienst nachgewiesen, dass diese Adresse ihm gehört, und das Konto mit ihr übernommen. Passwort, zweite Faktoren und Sitzungen wurden entfernt, weil die Adresse vorher nie nachgewiesen war.',
}

function valid(lifetime: string): string {
  return `Link und Code funktionieren einmal. Gültigkeit: ${lifetime}.`
}

function trace({
  time,
  device,
  address,
}: Pick<ShownOf<'new_device'>, 'time' | 'device' | 'address'>): readonly string[] {
  return [`Zeit: ${time}`, `Gerät: ${device}`, `Netzwerkadresse: ${address}`]
}
