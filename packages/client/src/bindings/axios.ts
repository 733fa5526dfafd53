import type { AxiosError, AxiosInstance, InternalAxiosRequestConfig } from 'axios'

import type { Client, Prepared } from '../types.ts'

// axios copies the configuration of a request, with all string keys.
const REPEATED = 'countersignRepeated'

/**
 * Makes an axios instance send its requests with the session, and repeat a rejected request once after a refresh or a
 * step-up. Returns a function that undoes it. The client refreshes with `fetch`, so no interceptor sees that request.
 */
export function attachClient(
  axios: AxiosInstance,
  client: Pick<Client, 'prepare' | 'shouldRepeat'>,
): () => void {
  const sent = new WeakMap<InternalAxiosRequestConfig, Prepared>()

  const onRequest = axios.interceptors.request.use(async (config) => {
    const prepared = await client.prepare(axios.getUri(config), config.method ?? 'get')
    const isRepeat = REPEATED in config
    // A caller who sets these headers manages them, and no refresh can change them.
    const names = Object.keys(prepared.headers)
    if (!isRepeat && names.some((name) => config.headers.has(name))) return config
    for (const name of names) config.headers.set(name, prepared.headers[name])
    if (prepared.withCookies) config.withCredentials = true
    sent.set(config, prepared)
    return config
  })

  const onResponse = axios.interceptors.response.use(undefined, async (error: AxiosError) => {
    const { config, response } = error
    const prepared = config && sent.get(config)
    if (!config || !response || !prepared || REPEATED in config || isStream(config.data)) {
      throw error
    }
    const { code } = Object(response.data) as { readonly code?: unknown }
    const text = typeof code === 'string' ? code : undefined
    const header: unknown = response.headers['www-authenticate']
    const challenge = typeof header === 'string' ? header : undefined
    if (!(await client.shouldRepeat(prepared, response.status, text, challenge))) throw error
    return axios.request(Object.assign(config, { [REPEATED]: true }))
  })

  return () => {
    axios.interceptors.request.eject(onRequest)
    axios.interceptors.response.eject(onResponse)
  }
}

function isStream(body: unknown): boolean {
  return Object(body) instanceof ReadableStream || typeof Object(body).pipe === 'function'
}
