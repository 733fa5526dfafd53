import { isUtf8 } from 'node:buffer'

import { parseJsonStrict } from '@countersign/jwt'

import { limits } from '../base/limits.ts'
import type { RefusalCode } from '../base/refusals.ts'
import { JsonNumber } from './json-number.ts'

/** A parsed body: the fields of an object or form, or another JSON value. */
export type Body =
  | { readonly ok: true; readonly fields: ReadonlyMap<string, unknown> }
  | { readonly ok: true; readonly fields: undefined; readonly value: unknown }
  | { readonly ok: false; readonly code: RefusalCode }

/** Stands for a file in a multipart form. No field of the API is a file. */
export const FILE = Symbol('file')

/**
 * Reads and parses a request body of at most 16 KiB: JSON, or either kind of form. An empty body of any type
 * is an object without fields. Nothing is decompressed. A repeated name is refused, because two parsers could
 * use different values.
 *
 * With `numbersAsWritten`, a number becomes a `JsonNumber` if it is a field or the whole body.
 */
export async function readBody(
  request: Request,
  options: { readonly numbersAsWritten?: boolean } = {},
): Promise<Body> {
  const encoding = request.headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    return { ok: false, code: 'content_encoding_unsupported' }
  }
  let bytes: Buffer | undefined
  try {
    bytes = await readBytes(request)
  } catch {
    // The client disconnected or sent a malformed chunk. This is not a server error, so it is not logged.
    return { ok: false, code: 'text_malformed' }
  }
  if (bytes === undefined) return { ok: false, code: 'body_too_large' }
  if (bytes.length === 0) return { ok: true, fields: new Map() }

  const contentType = request.headers.get('content-type') ?? ''
  switch (parseMediaType(contentType)) {
    case 'application/json':
      return parseJson(bytes, options.numbersAsWritten === true)
    case 'application/x-www-form-urlencoded':
      return parseUrlEncoded(bytes)
    case 'multipart/form-data':
      return parseMultipart(bytes, contentType)
    default:
      return { ok: false, code: 'media_type_unsupported' }
  }
}

/** Like `readBody`, for a route that accepts only URL-encoded forms, as OAuth requires. */
export async function readForm(request: Request): Promise<Body> {
  const type = parseMediaType(request.headers.get('content-type') ?? '')
  return type === 'application/x-www-form-urlencoded'
    ? readBody(request)
    : { ok: false, code: 'media_type_unsupported' }
}

/**
 * Returns the body. Returns undefined if it is larger than `limits.bodyBytesMax`; the rest is then not read.
 */
export async function readBytes(request: Request): Promise<Buffer | undefined> {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > limits.bodyBytesMax) return undefined
  if (declared !== null) {
    // The HTTP parser passes on no more bytes than Content-Length declares.
    const bytes = Buffer.from(await request.arrayBuffer())
    return bytes.length > limits.bodyBytesMax ? undefined : bytes
  }
  return request.body === null ? Buffer.alloc(0) : readStream(request.body)
}

async function readStream(stream: ReadableStream<Uint8Array>): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > limits.bodyBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** Returns the media type without parameters, or undefined if its charset is not UTF-8. */
function parseMediaType(contentType: string): string | undefined {
  if (contentType === 'application/json') return contentType
  const [type = '', ...parameters] = contentType.split(';')
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=')
    if (name.trim().toLowerCase() !== 'charset') continue
    if (!/^"?utf-?8"?$/i.test(value.trim())) return undefined
  }
  return type.trim().toLowerCase()
}

function parseJson(bytes: Buffer, numbersAsWritten: boolean): Body {
  if (!isUtf8(bytes)) return { ok: false, code: 'text_malformed' }
  const text = bytes.toString('utf8')
  const parsed = parseJsonStrict(text, { depthMax: limits.bodyDepthMax })
  if (!parsed.ok) return { ok: false, code: parsed.code }
  const value = numbersAsWritten ? keepNumbers(parsed.value, text) : parsed.value
  return isPlainObject(value)
    ? { ok: true, fields: new Map(Object.entries(value)) }
    : { ok: true, fields: undefined, value }
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return !Array.isArray(value) && !(value instanceof JsonNumber)
}

/** Replaces numbers at the root, or in a member of the root, with a `JsonNumber`. */
function keepNumbers(value: unknown, text: string): unknown {
  const tops: readonly unknown[] = isPlainObject(value) ? Object.values(value) : [value]
  return tops.some((top) => typeof top === 'number') ? JSON.parse(text, toJsonNumber) : value
}

function toJsonNumber(
  _name: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  return typeof value === 'number' ? new JsonNumber(context?.source ?? String(value)) : value
}

function parseUrlEncoded(bytes: Buffer): Body {
  if (!isUtf8(bytes)) return { ok: false, code: 'form_malformed' }
  const text = bytes.toString('utf8')
  if (!isDecodable(text)) return { ok: false, code: 'form_malformed' }
  return toFields(new URLSearchParams(text))
}

/**
 * Whether the text decodes without errors. `URLSearchParams` replaces broken percent-encoding and UTF-8 with
 * other characters instead of failing.
 */
function isDecodable(text: string): boolean {
  if (!text.includes('%')) return true
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

async function parseMultipart(bytes: Buffer, contentType: string): Promise<Body> {
  try {
    const form = await new Response(new Uint8Array(bytes), {
      headers: { 'content-type': contentType },
    }).formData()
    return toFields(form)
  } catch {
    return { ok: false, code: 'form_malformed' }
  }
}

function toFields(entries: Iterable<[string, unknown]>): Body {
  const fields = new Map<string, unknown>()
  for (const [name, value] of entries) {
    if (fields.has(name)) return { ok: false, code: 'form_duplicate_field' }
    fields.set(name, typeof value === 'string' ? value : FILE)
  }
  return { ok: true, fields }
}
