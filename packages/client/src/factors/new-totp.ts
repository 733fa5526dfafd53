import type { Members } from '../exchange.ts'
import type { NewTotp } from './types.ts'

/** Reads the answer to the beginning of the setup of an authenticator app. `finish` sends its fields. */
export function readNewTotp<Result>(
  { challenge, qr, secret, uri }: Members,
  finish: (fields: object) => Promise<Result>,
): NewTotp<Result> {
  return {
    qr: String(qr),
    secret: String(secret),
    uri: String(uri),
    submit: (code, name) => finish({ challenge, code, name }),
  }
}
