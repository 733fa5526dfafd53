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
  /** The fields of the first form that have a name, with their values. Undefined without a form. */
  readonly fields: Readonly<Record<string, string>> | undefined
  readonly forms: readonly SeenForm[]
}

/** A form of a page. */
export interface SeenForm {
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
  readonly buttons: readonly Tag[]
}

/** Which form and button a person uses. Without either, it is the first form. */
export interface Pressed {
  /** The end of the action of the form. */
  readonly form?: string
  /** The name of the button for a person who hears it. */
  readonly button?: string
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

  /** Fills in a form of a page and presses a button, then follows a redirect. */
  async press(
    page: SeenPage,
    values: Readonly<Record<string, string>> = {},
    { form: end = '', button }: Pressed = {},
  ): Promise<SeenPage> {
    const hasButton = ({ buttons }: SeenForm): boolean =>
      button === undefined || buttons.some((each) => labelOf(each) === button)
    const form = page.forms.find(
      (each) => each.action.split('?')[0]?.endsWith(end) && hasButton(each),
    )
    if (form === undefined) throw new Error(`${page.path} has no such form: ${page.text}`)
    const pressed = form.buttons.find((each) => labelOf(each) === button)?.attributes ?? {}
    const { name, value = '' } = pressed
    const sent = name === undefined ? {} : { [name]: value }
    return this.post(form.action, { ...form.fields, ...values, ...sent })
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
    const isPage = location !== null && location !== '/' && location.startsWith('/')
    return answer.status === 303 && isPage ? this.open(location) : answer
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

function labelOf({ attributes, text }: Tag): string {
  return attributes['aria-label'] ?? text
}

async function readPage(path: string, response: Response): Promise<SeenPage> {
  const html = await response.text()
  const elements = elementsOf(parse(html))
  const tags = elements.map(toTag)
  const forms = elements.filter(({ tagName }) => tagName === 'form').map(readForm)
  return {
    path,
    status: response.status,
    headers: response.headers,
    html,
    tags,
    title: tags.find(({ name }) => name === 'title')?.text ?? '',
    text: tags.find(({ name }) => name === 'body')?.text ?? '',
    fields: forms[0]?.fields,
    forms,
  }
}

function readForm(form: Element): SeenForm {
  const tags = elementsOf(form).map(toTag)
  const inputs = tags.filter(({ name }) => name === 'input')
  return {
    action: tags[0]?.attributes['action'] ?? '',
    fields: Object.fromEntries(
      inputs.map(({ attributes: { name = '', value = '' } }) => [name, value]),
    ),
    buttons: tags.filter(({ name }) => name === 'button'),
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
