/** The largest logo. It is in the script of the pages, and everything that the sign-in page needs is small. */
export const LOGO_BYTES_MAX = 8 * 1024

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/**
 * Returns a logo as a data URL. Undefined if the bytes are neither PNG, WebP nor SVG. Browsers show an SVG of a
 * stylesheet as an image: it runs no script and loads nothing.
 */
export function logoUrl(bytes: Uint8Array): string | undefined {
  const media = mediaOf(bytes)
  return media === undefined
    ? undefined
    : `data:${media};base64,${Buffer.from(bytes).toString('base64')}`
}

function mediaOf(bytes: Uint8Array): string | undefined {
  if (PNG.every((byte, i) => bytes[i] === byte)) return 'image/png'
  const head = Buffer.from(bytes.subarray(0, 512)).toString('latin1')
  if (/^RIFF.{4}WEBP/s.test(head)) return 'image/webp'
  return /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<svg[\s>]/s.test(head)
    ? 'image/svg+xml'
    : undefined
}
