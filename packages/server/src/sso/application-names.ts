/** The names of an application. */
export interface ApplicationNames {
  readonly name: string
  readonly id: string
  readonly title: string | undefined
}

/** The `client_id` of tokens from direct logins. An application with this id could revoke all of them. */
const FIRST_PARTY = 'first-party'

/** Whether a client id can be that of an application. Otherwise it belongs to a service account or to direct logins. */
export function mayBeApplication(clientId: string): boolean {
  return clientId !== FIRST_PARTY && !/^(?:svc|acct)_/.test(clientId)
}

/** Checks the names of an application. Returns a sentence that says what is wrong; undefined if nothing is. */
export function checkIdentity({ name, id, title }: ApplicationNames): string | undefined {
  if (!/^[A-Za-z0-9](?:[\w.-]{0,62}[A-Za-z0-9_-])?$/.test(id)) {
    return 'The id of an application has 1 to 64 of letters, digits, "-", "_" and ".", and begins with a letter or digit.'
  }
  if (!mayBeApplication(id)) {
    return `The id of an application cannot be ${FIRST_PARTY}, or begin with svc_ or acct_.`
  }
  if (!/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(name)) {
    return 'The name of an application has 1 to 64 of a-z, 0-9 and "-", and no "-" at its ends.'
  }
  // The consent page shows the title: no line breaks, and no characters that reverse the text.
  if (title !== undefined && !/^(?=.*\S)[^\p{C}\p{Zl}\p{Zp}]{1,60}$/u.test(title)) {
    return 'The title of an application has 1 to 60 characters in one line.'
  }
  return undefined
}

/** Returns the title that people see. */
export function titleOf(title: string | undefined, name: string): string {
  return title?.trim() ?? name
}
