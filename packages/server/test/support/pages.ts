import { parse, type DefaultTreeAdapterTypes } from 'parse5'

import { ISSUER, type Answering } from './authority.ts'
import { TestBrowser } from './browser.ts'

type Node = DefaultTreeAdapterTypes.Node
type Element = DefaultTreeAdapterTypes.Element

/** An element of a page as a browser would read it. */
export interface Tag {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
}

/** A page as a browser would read it. */
export interface SeenPage {
  readonly path: string
  readonly status: number
  readonly headers: Headers
  readonly html: string
  readonly title: string
  readonly text: string
  readonly tags: readonly Tag[]
  /** The fields of the form that have a name, with their values. Undefined without a form. */
  readonly fields: Readonly<Record<string, string>> | undefined
}

/** A browser without scripts: it opens pages, follows links and sends forms. */
export class PageBrowser {
  readonly jar: TestBrowser
  readonly #it: Answering
  readonly #address: string
  readonly #language: string

  constructor(it: Answering, { address = '203.0.113.7', language = 'en' } = {}) {
    this.jar = new TestBrowser(it, address)
    this.#it = it
    this.#address = address
    this.#language = language
  }

  /** Opens a page. */
  open(path: string, init: { readonly method?: string } = {}): Promise<SeenPage> {
    return this.ask(path, { ...init, headers: { 'sec-fetch-site': 'none' } })
  }

  /** Fills in the form of a page and presses its button, then follows a redirect. */
  async press(page: SeenPage, values: Readonly<Record<string, string>> = {}): Promise<SeenPage> {
    const action = page.tags.find(({ name }) => name === 'form')?.attributes['action']
    if (action === undefined) throw new Error(`${page.path} has no form: ${page.text}`)
    return this.post(action, { ...page.fields, ...values })
  }

  /** Sends a form as the browser would from a page of the server, and follows a redirect. */
  async post(
    path: string,
    values: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = { 'sec-fetch-site': 'same-origin', origin: 'null' },
  ): Promise<SeenPage> {
    const answer = await this.ask(path, {
      method: 'POST',
      body: new URLSearchParams(values),
      headers,
    })
    const location = answer.headers.get('location')
    return answer.status === 303 && location !== '/' && location !== null
      ? this.open(location)
      : answer
  }

  /** Sends one request and keeps the cookies of its answer. */
  async ask(path: string, init: RequestInit): Promise<SeenPage> {
    const headers = new Headers({ 'accept-language': this.#language, 'user-agent': 'Firefox/140' })
    if (this.jar.cookies.size > 0) headers.set('cookie', this.jar.cookieHeader())
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value)
    const request = new Request(`${ISSUER}${path}`, { ...init, headers })
    const response = await this.#it.authority.fetch(request, { address: this.#address })
    for (const line of response.headers.getSetCookie()) this.jar.keep(line)
    return readPage(path, response)
  }
}

async function readPage(path: string, response: Response): Promise<SeenPage> {
  const html = await response.text()
  const tags = elementsOf(parse(html)).map(toTag)
  const inputs = tags.filter(({ name }) => name === 'input')
  const hasForm = tags.some(({ name }) => name === 'form')
  return {
    path,
    status: response.status,
    headers: response.headers,
    html,
    tags,
    title: tags.find(({ name }) => name === 'title')?.text ?? '',
    text: tags.find(({ name }) => name === 'body')?.text ?? '',
    fields: hasForm
      ? Object.fromEntries(inputs.map(({ attributes: { name = '', value = '' } }) => [name, value]))
      : undefined,
  }
}

function elementsOf(node: Node): readonly Element[] {
  const own = 'tagName' in node ? [node] : []
  return [...own, ...('childNodes' in node ? node.childNodes.flatMap(elementsOf) : [])]
}

function toTag(element: Element): Tag {
  return {
    name: element.tagName,
    attributes: Object.fromEntries(element.attrs.map(({ name, value }) => [name, value])),
    text: textOf(element).replaceAll(/\s+/g, ' ').trim(),
  }
}

function textOf(node: Node): string {
  if ('value' in node) return node.value
  return 'childNodes' in node ? node.childNodes.map(textOf).join(' ') : ''
}
