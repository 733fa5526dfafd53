import type { FactorMessages } from './factor-messages.ts'

/** The words about second factors in English. */
export const factorsEn: FactorMessages = {
  secondTitle: 'Confirm it is you',
  secondFor: (username) => `Second step of the login as ${username}.`,
  methods: {
    totp: {
      lead: 'Enter the code that your authenticator app shows.',
      button: 'Continue',
      choose: 'Use the authenticator app',
    },
    passkey: {
      lead: 'Confirm with the device that has your passkey.',
      button: 'Use a passkey',
      choose: 'Use a passkey',
    },
    recovery_code: {
      lead: 'Enter one of the recovery codes that you stored. Each works once.',
      button: 'Continue',
      choose: 'Use a recovery code',
    },
    mail: {
      lead: 'You get a code at the address of your account.',
      button: 'Continue',
      choose: 'Use a code from a mail',
    },
  },
  kinds: { totp: 'Authenticator app', passkey: 'Passkey' },
  sendMail: 'Send the code',
  sendAgain: 'Send another code',
  remember: (days) =>
    days === 1
      ? 'Do not ask in this browser for a day'
      : `Do not ask in this browser for ${days} days`,
  beginAgain: 'Begin again, or use another account',
  wait: (minutes) =>
    minutes === 1
      ? 'Too many wrong codes. Wait a minute, then enter the next code.'
      : `Too many wrong codes. Wait ${minutes} minutes, then enter the next code.`,
  needScripts:
    'Passkeys need scripts, and this browser runs none. Turn scripts on, or use another way below.',
  passkeyFailed: 'The passkey was not used. Try again, or use another way.',
  passkeyExists: 'This device has a passkey for your account already.',
  signInWithPasskey: 'Log in with a passkey',
  enrolTitle: 'Protect your account',
  enrolLead:
    'Your account needs a second factor, so that a stolen password is not enough. Set up one of these to log in.',
  app: {
    title: 'Authenticator app',
    lead: 'An app on your phone shows a new code every 30 seconds. Open the app before you go on.',
    begin: 'Set up an authenticator app',
    scan: 'Scan this picture with the app, then enter the code that the app shows.',
    qr: 'QR code for the authenticator app. The key below has the same content.',
    secret: 'Or type this key into the app:',
    button: 'Confirm the code',
    void: 'This QR code has expired, or was replaced in another tab. Begin again and scan the new one.',
    replaces: 'The new app replaces the app that you have now.',
  },
  passkey: {
    title: 'Add a passkey',
    lead: 'A passkey logs you in with your fingerprint, your face or the PIN of your device. Nobody can steal it with a false page.',
    button: 'Add a passkey',
  },
  codes: {
    title: 'Recovery codes',
    lead: 'Recovery codes log you in when you have lost your other factors. New codes replace the old ones at once.',
    button: 'Make new recovery codes',
    shownTitle: 'Store your recovery codes',
    shownLead:
      'If you lose your phone or your passkey, one of these codes logs you in. Each works once. Print them or put them into a password manager: they are not shown again.',
    label: 'Recovery codes',
    copy: 'Copy the codes',
    copied: 'Copied',
    stored: 'I have stored them',
    left: (count) =>
      count === 1 ? 'One recovery code is left.' : `${count} recovery codes are left.`,
  },
  due: {
    title: 'Set up a second factor',
    before: 'Your account needs a second factor. From this time on you cannot log in without one:',
    later: 'Not now',
    setUp: 'Set up a second factor',
  },
  none: 'You have no second factor. Add one, so that a stolen password is not enough to log in.',
  added: 'Added:',
  used: 'Last used:',
  neverUsed: 'Not used yet',
  edit: (name) => `Rename or remove: ${name}`,
  editTitle: 'Rename or remove',
  name: 'Name',
  renameButton: 'Rename',
  removeTitle: 'Remove',
  removeLead: 'You cannot log in with it any more. All other sessions of your account end.',
  removeLastRequired:
    'It is your last factor, and this account needs one. You will be asked to set up another one. Your recovery codes go with it.',
  removeLast:
    'It is your last factor. Your recovery codes go with it, and your password alone logs you in.',
  removeButton: 'Remove it',
  devicesTitle: 'Remembered browsers',
  devicesNone: 'Every browser is asked for your second factor.',
  devicesUntil: 'Not asked until',
  forgetButton: 'Forget all remembered browsers',
  confirm: {
    title: 'Confirm it is you',
    lead: 'This changes how you log in, so confirm who you are first. Then you come back.',
    button: 'Confirm',
    instead: 'Log in again instead',
    password: 'Enter your password.',
  },
  review: {
    title: 'Is everything here yours?',
    lead: 'Your password was reset. Look through your account: whoever knew the old password may have left something.',
    button: 'Everything is mine',
  },
}
