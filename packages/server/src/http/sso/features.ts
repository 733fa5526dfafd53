import type { Feature } from '../router/route.ts'

/** With applications that log people in. */
export const withSso: Feature = {
  isOn: ({ sso }) => sso,
  requires: 'Exists with `COUNTERSIGN_SSO=true` or `COUNTERSIGN_APPLICATIONS_FILE`.',
}
