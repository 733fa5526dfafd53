/**
 * Returns the Content-Security-Policy of a page: files of this server only, nothing inline, forms to this server, and
 * no code from text (Trusted Types). A page that another site frames could make people press its buttons.
 *
 * Browsers apply `form-action` to the redirect after a form, too. So a page whose form ends at an application names
 * the origin of that application, and no other page does.
 */
export function policyFor(formTargets: readonly string[] = []): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}
