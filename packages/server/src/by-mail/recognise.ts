import type { RecognisedCode } from '../store/mail-codes.ts'
import type { Presented } from './secrets.ts'
import type { MailServices } from './services.ts'

/**
 * Returns what a link or a ticket is for, without any effect, for the pages behind the links of mails. Undefined
 * if neither is right or both are over.
 */
export async function recognise(
  { sessions, hasher }: MailServices,
  { link, ticket }: Omit<Presented, 'code'>,
): Promise<RecognisedCode | undefined> {
  const prepared = hasher.present({ link, ticket })
  return prepared && sessions.store.mailCodes.recognise(prepared)
}
