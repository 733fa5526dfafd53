import { ownAccounts } from '../account/routes.ts'
import { withMail, withMailLogin, withVerifiedSignUp } from '../by-mail/features.ts'
import type { Feature } from '../router/route.ts'
import { withSso } from '../sso/features.ts'

/** The pages of the server. */
export const withPages: Feature = {
  isOn: ({ pages }) => pages,
  requires: 'Exists unless `COUNTERSIGN_PAGES=false`.',
}

/** The pages behind the links of mails. */
export const mailPages = onPages(withMail)

/** The pages of a sign-up with a mail. */
export const signUpPages = onPages(withVerifiedSignUp)

/** The page of a sign-up without a mail. */
export const plainSignUpPages: Feature = {
  isOn: ({ pages, ownAccounts: isOwn, signUp, signUpVerified }) =>
    pages && isOwn && signUp && !signUpVerified,
  requires: `Exists with \`COUNTERSIGN_SIGN_UP=true\`, without \`COUNTERSIGN_SIGN_UP_VERIFIED\`. ${withPages.requires}`,
}

/** The pages of a login by mail. */
export const mailLoginPages = onPages(withMailLogin)

/** The pages that change an account that Countersign keeps. */
export const ownAccountPages = onPages(ownAccounts)

/** The pages about applications. */
export const ssoPages = onPages(withSso)

function onPages({ isOn, requires }: Feature): Feature {
  return {
    isOn: (features) => features.pages && isOn(features),
    requires: `${requires} ${withPages.requires}`,
  }
}
