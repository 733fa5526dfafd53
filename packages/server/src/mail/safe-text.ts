/**
 * Texts that strangers choose and that mails show: usernames, names of tenants, devices. Somebody could
 * otherwise let this server send their advertisement or their link to any address.
 */

const NAME_CHARS_MAX = 60
/** An invisible space: people do not see it, and mail programs end a link there. */
const BREAK = '\u{200b}'

/**
 * Makes a name safe: on one line, without control and invisible characters and without quotation marks, short,
 * and with a break wherever a mail program could find a link or an address. Quote it in the text.
 */
export function safeName(name: string): string {
  const plain = name
    .replace(/[\p{Z}\p{Cc}]+/gu, ' ')
    .replace(/\p{C}/gu, '')
    .replace(/["“”„‟«»<>`]/g, "'")
    .trim()
  const letters = [...plain]
  const short =
    letters.length <= NAME_CHARS_MAX ? plain : `${letters.slice(0, NAME_CHARS_MAX - 1).join('')}…`
  return short.replace(/(?<=\S)[.:/@\\](?=\S)/g, `$&${BREAK}`).replace(/www/gi, `w${BREAK}ww`)
}

/**
 * Makes a username safe. The address of the recipient stays as it is, so that it can be copied: it tells the
 * recipient nothing new.
 */
export function safeUsername(username: string, recipient: string): string {
  return username.toLowerCase() === recipient.toLowerCase() ? username : safeName(username)
}

/** Shows enough of an address for its owner to recognise it: `b•••@example.com`. */
export function maskAddress(address: string): string {
  const at = address.lastIndexOf('@')
  const [first = ''] = address
  return `${safeName(at > 0 ? first : '')}•••@${safeName(address.slice(at + 1))}`
}
