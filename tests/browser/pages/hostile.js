// What a hostile page attempts. Each attempt returns what the page could read, or why it could read nothing.

const TYPES = {
  form: 'application/x-www-form-urlencoded',
  text: 'text/plain',
  multipart: 'multipart/form-data',
}

// How long an answer may take, in milliseconds.
const LOAD_MS_MAX = 20_000

async function attackByFetch({ url, form, ...options }) {
  const content = form === undefined ? {} : { body: new URLSearchParams(form) }
  try {
    const answer = await fetch(url, { ...options, ...content, credentials: 'include' })
    return answer.type === 'opaque' ? 'opaque' : `read: ${answer.status} ${await answer.text()}`
  } catch (error) {
    return `blocked: ${error.name}`
  }
}

function attackByBeacon({ url, body }) {
  return navigator.sendBeacon(url, body) ? 'sent' : 'blocked'
}

// A form that submits itself; `target` is the name of a frame, or `_top`.
function submitForm({ url, fields, type, target }) {
  const form = document.createElement('form')
  Object.assign(form, { method: 'post', action: url, enctype: TYPES[type], target })
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement('input')
    Object.assign(input, { type: 'hidden', name, value })
    form.append(input)
  }
  document.body.append(form)
  form.submit()
}

async function attackByFrame(attack) {
  const frame = document.createElement('iframe')
  frame.name = `frame-${Math.random()}`
  document.body.append(frame)
  const loaded = eventOf(frame, ['load'])
  submitForm({ ...attack, target: frame.name })
  await loaded
  return readFrame(frame)
}

// A form in a sandboxed frame, which sends `Origin: null`.
function attackBySandbox({ url, fields }) {
  const frame = document.createElement('iframe')
  frame.sandbox = 'allow-scripts allow-forms'
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input name="${name}" value="${value}">`,
  )
  frame.srcdoc = `<form method="post" action="${url}">${inputs.join('')}</form><script>document.forms[0].submit()</script>`
  document.body.append(frame)
  return 'sent'
}

function readFrame(frame) {
  try {
    return `read: ${frame.contentWindow.document.body.innerText}`
  } catch (error) {
    return `blocked: ${error.name}`
  }
}

async function attackByImage({ url }) {
  const image = new Image()
  const loaded = eventOf(image, ['load', 'error'])
  image.src = url
  return loaded
}

// Loads the answer as a script: the page could read what the script defines.
async function attackByScript({ url }) {
  const script = document.createElement('script')
  const loaded = eventOf(script, ['load', 'error'])
  script.src = url
  document.head.append(script)
  return loaded
}

async function frameOf({ url }) {
  const frame = document.createElement('iframe')
  const loaded = eventOf(frame, ['load'])
  frame.src = url
  document.body.append(frame)
  await loaded
  return readFrame(frame)
}

function eventOf(element, names) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('nothing was loaded')), LOAD_MS_MAX)
    for (const name of names) element.addEventListener(name, () => resolve(name), { once: true })
  })
}

const attacks = {
  fetch: attackByFetch,
  beacon: attackByBeacon,
  frame: attackByFrame,
  sandbox: attackBySandbox,
  image: attackByImage,
  script: attackByScript,
  read: frameOf,
  // Submits the form after this call has returned, because the page is gone afterwards.
  top: (attack) => void setTimeout(() => submitForm({ ...attack, target: '_top' })),
}
globalThis.attack = ({ by, ...attack }) => attacks[by](attack)
