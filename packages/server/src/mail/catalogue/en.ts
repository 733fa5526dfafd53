import type { ShownOf } from '../kinds.ts'
import type { Catalogue } from './message.ts'

/** The mails in English. */
export const en: Catalogue = {
  codeLabel: 'If the link does not open in the browser that you used, enter this code there:',
  messages: {
    sign_up: ({ site, lifetime }) => ({
      subject: `Finish your sign-up at ${site}`,
      lead: [`Somebody signed up at ${site} with this e-mail address. Confirm that it was you.`],
      action: 'Confirm the address',
      end: [valid(lifetime), 'If it was not you, do nothing. No account is created.'],
    }),
    account_exists: ({ site, lifetime }) => ({
      subject: `You already have an account at ${site}`,
      lead: [
        `Somebody signed up at ${site} with this e-mail address. You already have an account, so no new one was created.`,
        'If you have forgotten your password, you can set a new one:',
      ],
      action: 'Set a new password',
      end: [valid(lifetime), 'If it was not you, do nothing. Your account has not changed.'],
    }),
    verify_address: ({ site, username, lifetime }) => ({
      subject: `Confirm your address for ${site}`,
      lead: [`Confirm that this e-mail address belongs to the account “${username}” at ${site}.`],
      action: 'Confirm the address',
      end: [valid(lifetime), 'If you do not know this account, do nothing.'],
    }),
    change_address: ({ site, username, lifetime }) => ({
      subject: `Confirm your new address for ${site}`,
      lead: [
        `The account “${username}” at ${site} is to use this e-mail address. Confirm that it is yours.`,
      ],
      action: 'Use this address',
      end: [valid(lifetime), 'If you do not know this account, do nothing.'],
    }),
    address_changed: ({ site, newAddress, time }) => ({
      subject: `Your address at ${site} was changed`,
      lead: [`The e-mail address of your account at ${site} was changed to ${newAddress}.`, time],
      end: [
        `If it was not you, somebody else can use your account. Contact the operator of ${site} at once.`,
      ],
    }),
    reset_password: ({ site, username, lifetime }) => ({
      subject: `Set a new password for ${site}`,
      lead: [`Somebody asked for a new password for your account “${username}” at ${site}.`],
      action: 'Set a new password',
      end: [
        valid(lifetime),
        'A new password ends all sessions. If it was not you, do nothing. Your password stays the same.',
      ],
    }),
    password_changed: (values) => ({
      subject: `Your password at ${values.site} was changed`,
      lead: [`The password of your account at ${values.site} was changed.`, ...trace(values)],
      end: [`If it was not you, set a new password at ${values.site} at once.`],
    }),
    login_code: ({ site, lifetime }) => ({
      subject: `Log in to ${site}`,
      lead: [`Somebody wants to log in to ${site} with this e-mail address.`],
      action: 'Log in',
      end: [
        valid(lifetime),
        'If it was not you, do nothing. Never pass the code on, whoever asks for it.',
      ],
    }),
    new_device: (values) => ({
      subject: `New device at ${values.site}`,
      lead: [
        `Somebody logged in to your account at ${values.site} from a new device.`,
        ...trace(values),
      ],
      end: [`If it was not you, change your password at ${values.site}. This ends all sessions.`],
    }),
    invitation: ({ site, tenant, inviter, lifetime }) => ({
      subject: `Invitation to “${tenant}” at ${site}`,
      lead: [
        inviter === ''
          ? `You are invited to join “${tenant}” at ${site}.`
          : `“${inviter}” invites you to join “${tenant}” at ${site}.`,
      ],
      action: 'Open the invitation',
      end: [valid(lifetime), 'If you do not expect this invitation, do nothing.'],
    }),
    account_deleted: ({ site, username, time }) => ({
      subject: `Your account at ${site} was deleted`,
      lead: [`Your account “${username}” at ${site} was deleted.`, time],
      end: [`If it was not you, contact the operator of ${site}.`],
    }),
    factor_changed: (values) => ({
      subject: `The sign-in of your account at ${values.site} was changed`,
      lead: [`${CHANGES[values.change] ?? CHANGES['factors_reset']}`, ...trace(values)],
      end: [
        `If it was not you, set a new password at ${values.site} at once, and check how your account signs in.`,
      ],
    }),
    factor_code: ({ site, lifetime }) => ({
      subject: `Your code for ${site}`,
      lead: [`Somebody with your password is signing in to ${site}. Enter this code there:`],
      end: [
        `The code works once, for ${lifetime}.`,
        'If it was not you, change your password. Never pass the code on, whoever asks for it.',
      ],
    }),
  },
}

const CHANGES: Readonly<Record<string, string>> = {
  totp_added: 'An authenticator app was added to your account.',
  totp_removed: 'The authenticator app was removed from your account.',
  passkey_added: 'A passkey was added to your account.',
  passkey_removed: 'A passkey was removed from your account.',
  recovery_codes_replaced:
    'New recovery codes were made for your account. The old ones no longer work.',
  recovery_code_used: 'Somebody signed in to your account with a recovery code.',
  factors_reset: 'The operator removed second factors from your account.',
  identity_added: 'An identity of another service was linked to your account. It can log in.',
  identity_removed: 'An identity of another service was removed from your account.',
  account_reclaimed:
    'Somebody proved at another service that this address is theirs, and took over the account with it. Its password, second factors and sessions were removed, because nobody had proved the address before.',
}

function valid(lifetime: string): string {
  return `Link and code work once, for ${lifetime}.`
}

function trace({
  time,
  device,
  address,
}: Pick<ShownOf<'new_device'>, 'time' | 'device' | 'address'>): readonly string[] {
  return [`Time: ${time}`, `Device: ${device}`, `Network address: ${address}`]
}
