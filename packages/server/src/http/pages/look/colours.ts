/** The colour of buttons and links, and the colour of text on it, in one scheme. */
export interface Shade {
  readonly mark: string
  readonly on: string
}

/** WCAG 2.2 §1.4.3. */
const CONTRAST_MIN = 4.5

/** The lightest background of the light scheme that carries links, and the one of the dark scheme. */
const LIGHT_BACK: Rgb = [0xf3, 0xf5, 0xf9]
const DARK_BACK: Rgb = [0x1a, 0x20, 0x2a]

type Rgb = readonly [red: number, green: number, blue: number]

/**
 * Makes the shades of a colour for the light and the dark scheme. A colour that is hard to read on the background of
 * a scheme is mixed with black or white, in steps of 2 %, until the contrast is 4.5 to 1. Pure.
 */
export function shadesOf(colour: string): { readonly light: Shade; readonly dark: Shade } {
  const rgb = parse(colour)
  return {
    light: { mark: write(mixUntilReadable(rgb, [0, 0, 0], LIGHT_BACK)), on: '#fff' },
    dark: { mark: write(mixUntilReadable(rgb, [255, 255, 255], DARK_BACK)), on: '#0d1218' },
  }
}

/** The contrast of two colours: 1 to 21 (WCAG 2.2, relative luminance). */
export function contrastOf(a: string, b: string): number {
  return contrast(parse(a), parse(b))
}

function mixUntilReadable(colour: Rgb, end: Rgb, back: Rgb): Rgb {
  for (let part = 0; part < 1; part += 0.02) {
    const mixed = mix(colour, end, part)
    if (contrast(mixed, back) >= CONTRAST_MIN) return mixed
  }
  return end
}

function mix(from: Rgb, to: Rgb, part: number): Rgb {
  const [red, green, blue] = from
  const at = (value: number, end: number): number => Math.round(value + (end - value) * part)
  return [at(red, to[0]), at(green, to[1]), at(blue, to[2])]
}

function contrast(a: Rgb, b: Rgb): number {
  const [bright = 0, dim = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x)
  return (bright + 0.05) / (dim + 0.05)
}

function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

function linear(value: number): number {
  const part = value / 255
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
}

function parse(colour: string): Rgb {
  const full = colour.length === 4 ? colour.replaceAll(/[\da-f]/gi, '$&$&') : colour
  const value = Number.parseInt(full.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

function write(rgb: Rgb): string {
  return `#${rgb.map((value) => value.toString(16).padStart(2, '0')).join('')}`
}
