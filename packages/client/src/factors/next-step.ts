import type { Members } from '../exchange.ts'
import type { Client } from '../types.ts'
import { askAnonymously } from './ask.ts'
import { getPasskey, makePasskey } from './ceremony.ts'
import { readNewTotp } from './new-totp.ts'
import type { EnrolMethod, EnrolStep, FactorMethod, SecondFactorStep } from './types.ts'

type Asking = Pick<Client, 'authority' | 'logInAt'>

/** Returns the step that the answer to a login asks for. Its ticket stays in the closures of the step. */
export function nextStep(client: Asking, members: Members): SecondFactorStep | EnrolStep {
  return members['code'] === 'second_factor_enrolment_required'
    ? enrolStep(client, members)
    : secondFactorStep(client, members)
}

function secondFactorStep(client: Asking, { ticket, methods }: Members): SecondFactorStep {
  const finish = (method: FactorMethod, fields: object): ReturnType<Client['logInAt']> =>
    client.logInAt('/second-factor', { ticket, method, ...fields })
  const challenge = (method: FactorMethod): Promise<Members> =>
    askAnonymously(client, '/auth/second-factor/challenge', { ticket, method })
  return {
    next: 'second-factor',
    // The authority's schema for this answer.
    methods: methods as readonly FactorMethod[],
    totp: (code, options) => finish('totp', { code, ...options }),
    recoveryCode: (code, options) => finish('recovery_code', { code, ...options }),
    async passkey({ signal, ...options } = {}) {
      const asked = await challenge('passkey')
      const response = await getPasskey(asked['options'], { signal })
      return finish('passkey', { challenge: asked['challenge'], response, ...options })
    },
    async mail() {
      const { challenge: id } = await challenge('mail')
      return { submit: (code, options) => finish('mail', { challenge: id, code, ...options }) }
    },
  }
}

function enrolStep(client: Asking, { ticket, enrol }: Members): EnrolStep {
  const finish = (method: EnrolMethod, fields: object): ReturnType<Client['logInAt']> =>
    client.logInAt('/second-factor', { ticket, method, enrol: true, ...fields })
  const begin = (method: EnrolMethod): Promise<Members> =>
    askAnonymously(client, '/auth/second-factor/enrol', { ticket, method })
  return {
    next: 'enrol',
    // The authority's schema for this answer.
    methods: enrol as readonly EnrolMethod[],
    async beginTotp() {
      const begun = await begin('totp')
      return readNewTotp(begun, (fields) => finish('totp', fields))
    },
    async passkey(name, { signal } = {}) {
      const { challenge, options } = await begin('passkey')
      const response = await makePasskey(options, { signal })
      return finish('passkey', { challenge, response, name })
    },
  }
}
