// The health check of the image, which has no curl: exits with 0 if the server answers 200 within 4 seconds.
// `node healthcheck.cjs /readyz` asks whether the database can be written, in place of /healthz.
'use strict'

const { get } = require('node:http')

const [path = '/healthz'] = process.argv.slice(2)
const { HOST: host = '', PORT: port = '8000' } = process.env
// A server that listens on all addresses is asked at this machine's own.
const isEverywhere = ['', '0.0.0.0', '::'].includes(host)
const options = { host: isEverywhere ? '127.0.0.1' : host, port, path, timeout: 4_000 }

const asked = get(options, ({ statusCode }) => end(statusCode === 200, `status ${statusCode}`))
asked.once('timeout', () => end(false, 'no answer within 4 seconds'))
asked.once('error', ({ code, message }) => end(false, code ?? message))

function end(isHealthy, text) {
  process.stdout.write(`${path}: ${text}\n`)
  process.exit(isHealthy ? 0 : 1)
}
