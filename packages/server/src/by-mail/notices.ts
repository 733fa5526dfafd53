import { loadDescribeDevice } from '../accounts/device.ts'
import type { EpochMs } from '../base/clock.ts'
import type { Mailer } from '../mail/compose.ts'
import type { Caller, Notices } from '../sessions/services.ts'
import type { Account, AccountEmail, NewMail } from '../store/rows.ts'

/**
 * Creates the mails that tell people about changes of their account. They go to verified addresses only:
 * anybody can type the address of somebody else.
 */
export function createNotices(mailer: Mailer): Notices {
  const to = (account: Account, compose: (address: string) => NewMail): readonly NewMail[] =>
    isVerified(account.email) ? [compose(account.email.address)] : []

  return {
    passwordChanged: async (account, caller, at) => {
      const values = await traceOf(caller, at)
      return to(account, (address) =>
        mailer.compose('password_changed', { ...about(account, address), values }, at),
      )
    },
    newDevice: async (account, caller, at) => {
      const values = await traceOf(caller, at)
      return to(account, (address) =>
        mailer.compose('new_device', { ...about(account, address), values }, at),
      )
    },
    emailChanged: async (account, newAddress, at) =>
      account.email?.address === newAddress
        ? []
        : to(account, (address) =>
            mailer.compose(
              'address_changed',
              { ...about(account, address), values: { newAddress, at } },
              at,
            ),
          ),
    factorChanged: async (account, change, caller, at) => {
      const values = { ...(await traceOf(caller, at)), change }
      return to(account, (address) =>
        mailer.compose('factor_changed', { ...about(account, address), values }, at),
      )
    },
    accountDeleted: async (account, at) =>
      to(account, (address) =>
        mailer.compose(
          'account_deleted',
          { ...about(account, address), values: { username: account.username, at } },
          at,
        ),
      ),
  }
}

function isVerified(email: AccountEmail | undefined): email is AccountEmail {
  return email?.verifiedAt !== undefined
}

function about(
  { id, locale }: Account,
  address: string,
): { to: string; locale: Account['locale']; accountId: string } {
  return { to: address, locale, accountId: id }
}

async function traceOf(
  { address, userAgent }: Caller,
  at: EpochMs,
): Promise<{ at: EpochMs; address: string | undefined; device: string | undefined }> {
  const describeDevice = await loadDescribeDevice()
  return {
    at,
    address: address === '' ? undefined : address,
    device: userAgent === '' ? undefined : describeDevice(userAgent),
  }
}
