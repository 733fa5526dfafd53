import type { Feature } from '../router/route.ts'

const MAIL = 'Exists when the server sends mail (`COUNTERSIGN_SMTP_URL`, or in development)'

/** With mail. */
export const withMail: Feature = { isOn: ({ mail }) => mail, requires: `${MAIL}.` }

/** With mail, and sign-ups that prove an address. */
export const withVerifiedSignUp: Feature = {
  isOn: ({ mail, signUpVerified }) => mail && signUpVerified,
  requires: `${MAIL}, with \`COUNTERSIGN_SIGN_UP_VERIFIED=true\`.`,
}

/** With mail, and logins by mail. */
export const withMailLogin: Feature = {
  isOn: ({ mail, mailLogin }) => mail && mailLogin,
  requires: `${MAIL}, with \`COUNTERSIGN_MAIL_LOGIN=true\`.`,
}
