import { accountRoutes } from './account/routes.ts'
import { browserRoutes } from './browser/routes.ts'
import { byMailRoutes } from './by-mail/routes.ts'
import { contractRoutes } from './contract/routes.ts'
import { contractFactorRoutes } from './contract/factor-routes.ts'
import { devRoutes } from './dev/routes.ts'
import { ownFactorRoutes } from './factors/own-routes.ts'
import { factorSignInRoutes } from './factors/sign-in-routes.ts'
import { stepUpRoutes } from './factors/step-up-routes.ts'
import { oauthRoutes } from './oauth2/routes.ts'
import { publicRoutes } from './public/routes.ts'
import { pageRoutes } from './pages/routes.ts'
import { feedRoutes } from './revocations/routes.ts'
import { ownApplicationRoutes } from './sso/own-routes.ts'
import { ssoRoutes } from './sso/routes.ts'
import { invitationRoutes } from './tenants/invitation-routes.ts'
import { memberRoutes } from './tenants/member-routes.ts'
import { ownInvitationRoutes } from './tenants/own-invitation-routes.ts'
import { ownIdentityRoutes } from './upstream/own-routes.ts'
import { upstreamRoutes } from './upstream/routes.ts'
import type { ApiRoute } from './router/define.ts'

/**
 * The route table of the HTTP API: every path that the authority answers. The router, the start page, the
 * metadata documents, `/openapi.json` and `docs/reference/http.md` are made from it. The server leaves out
 * rows whose feature is off. The reference has all rows.
 */
export const routes: readonly ApiRoute[] = [
  ...contractRoutes,
  ...contractFactorRoutes,
  ...browserRoutes,
  ...accountRoutes,
  ...factorSignInRoutes,
  ...stepUpRoutes,
  ...ownFactorRoutes,
  ...ownApplicationRoutes,
  ...upstreamRoutes,
  ...ownIdentityRoutes,
  ...byMailRoutes,
  ...pageRoutes,
  ...ownInvitationRoutes,
  ...memberRoutes,
  ...invitationRoutes,
  ...oauthRoutes,
  ...ssoRoutes,
  ...feedRoutes,
  ...publicRoutes,
  ...devRoutes,
]
