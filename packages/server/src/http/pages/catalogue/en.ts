import type { Messages } from './messages.ts'

const VOID =
  'This link has expired, was used, or was replaced by a newer mail. Links work once, for 15 minutes.'
const ASKED =
  'If the address is right, a mail is on its way. Open its link in this browser, or type its code here.'
const OTHER_BROWSER = 'This browser did not ask for the mail, so type the code from the mail too.'

/** The pages in English. */
export const en: Messages = {
  language: 'English',
  proof: {
    reset: {
      title: 'Set a new password',
      asker: 'The new password ends all sessions of your account.',
      recipient: `${OTHER_BROWSER} The new password ends all sessions of your account.`,
      waiting: ASKED,
      button: 'Set password',
      nothing: 'Open the link in your mail to set a new password, or ask for a new mail.',
      void: VOID,
      again: 'Ask for a new mail',
    },
    'sign-up': {
      title: 'Finish your sign-up',
      asker: 'Create your account with this address and the password that you have chosen.',
      recipient: `${OTHER_BROWSER} Then choose a password. If you did not sign up, close this page.`,
      waiting: ASKED,
      button: 'Create account',
      nothing: 'Open the link in your mail to finish your sign-up, or sign up again.',
      void: VOID,
      again: 'Sign up again',
    },
    verify: {
      title: 'Confirm your address',
      asker: 'Confirm that this address is yours.',
      recipient:
        'This browser did not ask for the mail. If you are logged in here, type the code from the mail too. Otherwise open the link in the browser that asked for the mail.',
      waiting: ASKED,
      button: 'Confirm address',
      nothing: 'Open the link in your mail to confirm your address.',
      void: `${VOID} Log in and ask for a new mail.`,
      again: 'Go to the application',
    },
    'log-in': {
      title: 'Log in',
      asker: 'Log in to your account in this browser.',
      recipient: `${OTHER_BROWSER} If you did not ask to log in, close this page.`,
      waiting: ASKED,
      button: 'Log in',
      nothing: 'Open the link in your mail to log in, or ask for a new mail.',
      void: VOID,
      again: 'Ask for a new mail',
    },
  },
  ask: {
    forgot: {
      title: 'Forgot your password?',
      lead: 'Enter the address of your account. You get a mail with which you set a new password.',
      button: 'Send mail',
    },
    'sign-up-start': {
      title: 'Sign up',
      lead: 'You get a mail that confirms your address. Then your account exists.',
      button: 'Sign up',
    },
    'log-in-start': {
      title: 'Log in by mail',
      lead: 'Enter the address of your account. You get a mail that logs you in.',
      button: 'Send mail',
    },
  },
  done: {
    reset: {
      title: 'Your password is set',
      text: 'All sessions of your account have ended. Log in with the new password.',
    },
    'sign-up': { title: 'Your account exists', text: 'You can log in now.' },
    verify: { title: 'Your address is confirmed', text: 'You can close this page.' },
    'log-in': { title: 'You are logged in', text: 'This browser has a session now.' },
  },
  invite: {
    title: 'Accept the invitation',
    lead: 'You must be logged in with the account whose address was invited.',
    button: 'Accept invitation',
    done: 'You are a member now',
    joined: (tenant) => `You have joined ${tenant}.`,
    loginTitle: 'Log in first',
    login:
      'Nobody is logged in in this browser. Log in with the account whose address was invited, or sign up with that address. Then open the link in your mail again.',
  },
  checkMail: 'Check your mail',
  voidTitle: 'This link does not work',
  forAddress: (masked) => `Address: ${masked}`,
  accountExists:
    'You have an account with this address already. You can set a new password for it.',
  chooseNow: 'The code is right. Choose a new password.',
  continueButton: 'Continue',
  toApplication: 'Continue to the application',
  logInByMail: 'Log in by mail',
  labels: { email: 'E-mail address', code: 'Code from the mail', password: 'New password' },
  hints: { code: 'Eight letters, such as WDJB-MJHT.', password: 'At least 12 characters.' },
  error: 'Error',
  refusals: {
    email_invalid: 'This is not an e-mail address. Check its spelling.',
    email_taken: 'Another account has this address. Log in to that account, or reset its password.',
    username_taken: 'An account with this username exists already. Sign up again.',
    username_invalid: 'This address cannot be a username.',
    username_confusable: 'This address looks too similar to another username.',
    username_too_long: 'This address is too long. It can have at most 150 characters.',
    code_wrong: 'The code is wrong. After five wrong codes you need a new mail.',
    code_missing: 'Type the code from the mail.',
    code_elsewhere: 'This browser did not ask for the mail.',
    password_required: 'Choose a password.',
    password_too_short: 'The password is too short. Choose one of at least 12 characters.',
    password_too_long: 'The password is too long. Choose one of at most 4,096 bytes.',
    password_common: 'The password is on a list of common passwords. Choose another one.',
    password_compromised:
      'This password is known from a data breach, so attackers try it. Choose another one, and change it wherever else you use it.',
    password_contains_username:
      'The password consists mostly of your username or of the name of this service. Choose another one.',
    password_malformed:
      'The password contains a character that cannot be stored. Choose another one.',
    password_queue_full: 'Too many people are busy here. Wait a few seconds and try again.',
    throttled: 'Too many attempts. Wait some minutes and try again.',
    csrf_failed: 'The form came from a page of another site, so nothing was done.',
    tenant_forbidden: 'You are not a member of this tenant.',
    email_unverified:
      'Your account has no verified address. Verify the address that was invited first.',
    invitation_void: 'This invitation has expired, was used, was withdrawn, or was sent again.',
    invitation_for_another:
      'This invitation is for another address. Log in with the account whose address was invited.',
    tenant_disabled: 'Nobody can join at the moment. Ask the person who invited you.',
    credentials_invalid: 'This account cannot log in.',
  },
  failures: {
    request: { title: 'The form could not be read', text: 'Go back and try again.' },
    method: {
      title: 'This page does not work that way',
      text: 'Open the link in your mail again.',
    },
    server: {
      title: 'Something went wrong',
      text: 'The server could not do this now. Wait a few seconds and try again.',
    },
  },
}
