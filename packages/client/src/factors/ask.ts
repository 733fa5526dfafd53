import { exchange, jsonPost, readAnswer, type Members } from '../exchange.ts'
import type { Client } from '../types.ts'

/** Asks the authority without a session: the body has the ticket of a login, or the answer is the same for everybody. */
export function askAnonymously(
  { authority }: Pick<Client, 'authority'>,
  path: string,
  body: object,
): Promise<Members> {
  return exchange(`${authority}${path}`, { ...jsonPost(body), credentials: 'omit' })
}

/**
 * Asks the authority in the name of the person who is logged in. The client may refresh, or ask the person to confirm who
 * they are, so this may take as long as that takes.
 */
export async function askLoggedIn(
  { authority, fetch }: Pick<Client, 'authority' | 'fetch'>,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
): Promise<Members> {
  const init = body === undefined ? {} : jsonPost(body)
  return readAnswer(await fetch(`${authority}${path}`, { cache: 'no-store', ...init, method }))
}
