import { newAccount } from '../accounts/new-account.ts'
import { checkUsername, usernameKey } from '../accounts/usernames.ts'
import { randomId } from '../base/random.ts'
import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { Account } from '../store/rows.ts'
import { evenly, mailTo, readAsking, sendCode } from './ask.ts'
import type { Presented } from './secrets.ts'
import type { Asked, Asking, MailServices } from './services.ts'
import { checkCode, openDetails } from './use-code.ts'

/** A person who signs up with an address. */
export interface SignUpAsking extends Asking {
  /** Without it, the address is the username. */
  readonly username?: string | undefined
  readonly password: string
}

/** The sealed part of a sign-up, until the address is proved. */
interface SignUpDetails {
  readonly username: string
  readonly passwordHash: string
}

/**
 * Begins a sign-up: the account exists only after the address was proved, so nobody can reserve the address of
 * somebody else. If an account has the address already, its owner gets a mail about that. The answer is the same.
 */
export async function askToSignUp(
  services: MailServices,
  asking: SignUpAsking,
  caller: Caller,
): Promise<Asked | Refusal> {
  const { store, newPasswords } = services.sessions
  const { username = asking.email, password } = asking
  const rejected = whyRejected(services, asking, username)
  if (rejected !== undefined) return rejected
  const read = await readAsking(services, asking, caller)
  if (!read.ok) return read
  const { email } = read
  // A username that is no address is public. It is looked up only after the request was counted.
  const key = usernameKey(username)
  if (!key.includes('@') && (await store.accounts.find(key)) !== undefined) {
    return refuse('username_taken')
  }
  return evenly(services, async () => {
    // The look-up comes before it is known whether the address has an account, so its time reveals nothing.
    const hash = await newPasswords.hash(password, { username })
    if (!hash.ok) return hash
    const passwordHash = hash.value
    const found = await store.mailCodes.findAddressee(email.key)
    const { locale } = asking
    if (found === undefined) {
      const details: SignUpDetails = { username, passwordHash }
      const common = { purpose: 'sign_up', kind: 'sign_up', account: undefined } as const
      return sendCode(services, { ...common, email, details, isSent: true, locale }, caller)
    }
    return sendCode(
      services,
      {
        purpose: 'reset_password',
        kind: 'account_exists',
        ...mailTo(found, email),
        // The rows of both cases are equally large.
        details: { username, passwordHash },
        locale,
      },
      caller,
    )
  })
}

/** Checks the username and the password, without a look at other accounts. */
function whyRejected(
  { sessions: { newPasswords } }: MailServices,
  { email, password }: SignUpAsking,
  username: string,
): Refusal | undefined {
  const problem = checkUsername(username) ?? newPasswords.check(password, { username })
  if (problem !== undefined) return { ok: false, code: problem.code, text: problem.text }
  const key = usernameKey(username)
  return !key.includes('@') || key === usernameKey(email)
    ? undefined
    : {
        ok: false,
        code: 'username_invalid',
        text: 'A username that is an e-mail address must be the address of the account.',
      }
}

/**
 * Finishes a sign-up: creates the account. Opens no session.
 *
 * A person without the ticket must choose a password. Otherwise a stranger could sign up with the address of
 * somebody else and a password of their own, and the owner of the address would confirm it with a click.
 */
export async function finishSignUp(
  services: MailServices,
  presented: Presented,
  password: string | undefined,
  caller: Caller,
): Promise<{ readonly ok: true; readonly account: Account } | Refusal> {
  const { sessions } = services
  const right = await checkCode(services, presented, ['sign_up'], caller)
  if (!right.ok) return right
  const details = openDetails(services, right.code) as SignUpDetails // Sealed by `askToSignUp`.
  const { username, passwordHash } = details
  if (password === undefined && right.by !== 'asker') return refuse('password_required')
  const hash =
    password === undefined
      ? { ok: true as const, value: passwordHash }
      : await sessions.newPasswords.hash(password, { username })
  if (!hash.ok) return hash
  const context = auditContextOf(sessions, 'anonymous', caller)
  const account = newAccount({
    id: `acct_${randomId(sessions.random)}`,
    username,
    passwordHash: hash.value,
    email: { ...right.code.email, verifiedAt: context.at },
    createdAt: context.at,
  })
  const redeemed = await sessions.store.mailCodes.redeem(
    right.code.id,
    { kind: 'sign_up', account, usernameKey: usernameKey(username) },
    context,
  )
  if (redeemed.kind === 'taken') return refuse('username_taken')
  return redeemed.kind === 'done' ? { ok: true, account } : refuse('code_void')
}
