/**
 * The part of the script for passkeys. A form with `data-passkey` asks the server for options, and is sent with the
 * answer of the passkey. With `data-offered`, the browser offers passkeys in the field for the username, too.
 *
 * The challenge for that offer costs one request, after the page is usable: a challenge in the HTML would be a write for
 * each view of the page, and too old after five minutes. It is renewed while somebody looks at the page.
 */
export const PASSKEY_SCRIPT = `
const creds = globalThis.PublicKeyCredential
const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (each) => each.charCodeAt(0))
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
const listed = (list = []) => list.map((each) => ({ ...each, id: bytes(each.id) }))
const readOptions = (kind, options) => {
  if (kind === 'create') return creds.parseCreationOptionsFromJSON?.(options) ?? { ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: listed(options.excludeCredentials) }
  return creds.parseRequestOptionsFromJSON?.(options) ?? { ...options, challenge: bytes(options.challenge), allowCredentials: listed(options.allowCredentials) }
}
const writeAnswer = (credential) => {
  if (credential.toJSON) return credential.toJSON()
  const { id, type, response } = credential
  const members = { transports: response.getTransports?.() }
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (response[name]) members[name] = text(response[name])
  }
  return { id, rawId: id, type, clientExtensionResults: credential.getClientExtensionResults(), response: members }
}
const ask = async (form) => {
  const body = new URLSearchParams(new FormData(form))
  body.set('options', '1')
  const answer = await fetch(form.action, { method: 'POST', body })
  return answer.headers.get('content-type') === 'application/json' ? answer.json() : undefined
}
let offered
const usePasskey = async (form, mediation) => {
  const { elements, dataset: { passkey: kind } } = form
  offered?.abort()
  const { signal } = (offered = new AbortController())
  const asked = await ask(form)
  if (asked === undefined) return mediation ?? form.submit()
  const publicKey = readOptions(kind, asked.options)
  const credential = await navigator.credentials[kind]({ publicKey, signal, ...(mediation && { mediation }) })
  elements.challenge.value = asked.challenge
  elements.response.value = JSON.stringify(writeAnswer(credential))
  form.submit()
}
const pressPasskey = (form) => usePasskey(form).catch((error) => {
  const { exists, failed } = form.dataset
  form.querySelector('[role=alert]').textContent = error.name === 'InvalidStateError' ? exists : failed
  restart()
  offerPasskeys()
})
const offerPasskeys = async () => {
  if (doc.hidden) return addEventListener('visibilitychange', offerPasskeys, { once: true })
  const form = doc.querySelector('form[data-offered]')
  if (!form || sent || !(await creds?.isConditionalMediationAvailable?.())) return
  clearTimeout(offerPasskeys.timer)
  offerPasskeys.timer = setTimeout(offerPasskeys, 240000)
  await usePasskey(form, 'conditional').catch(() => {})
}
const signal = (name, method) => {
  const found = doc.querySelector('[data-' + name + ']')
  if (found) creds?.[method]?.(JSON.parse(found.dataset[name])).catch(() => {})
}
const startPasskeys = () => {
  if (creds) for (const form of doc.querySelectorAll('form[data-passkey]')) form.hidden = false
  signal('accepted', 'signalAllAcceptedCredentials')
  signal('unknown', 'signalUnknownCredential')
  offerPasskeys()
}
`
