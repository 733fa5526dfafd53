/**
 * Draws horizontal bar charts as SVG. The text depends only on its input. A chart has its own background and
 * follows the reader's colour scheme, so that it is legible on light and dark pages.
 */

/** One bar. */
export interface Bar {
  readonly label: string
  /** At least 0. */
  readonly value: number
  /** The text after the bar. */
  readonly text: string
  /** Its colour: `ours` is strong, the others are pale. */
  readonly tone: 'ours' | 'second' | 'other'
}

/** Bars under a heading. */
export interface BarGroup {
  readonly heading: string
  readonly bars: readonly Bar[]
}

/** A chart with its title and the lines below it. */
export interface BarChart {
  readonly title: string
  readonly subtitle: string
  readonly groups: readonly BarGroup[]
  /** Lines about the machine, the date and the spread. */
  readonly notes: readonly string[]
  /** Whether the longest bar of each group fills the width. Otherwise all groups share one scale. */
  readonly scaleByGroup: boolean
}

const WIDTH = 760
const MARGIN = 24
const LABEL_WIDTH = 168
const TEXT_WIDTH = 280
const BAR_WIDTH_MAX = WIDTH - 2 * MARGIN - LABEL_WIDTH - TEXT_WIDTH
const ROW = 22
const BAR_HEIGHT = 14

const STYLE = `
    .page { fill: #ffffff; stroke: #d0d7de }
    text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
    .title { font-size: 17px; font-weight: 600 }
    .heading { font-weight: 600 }
    .quiet { fill: #59636e }
    .note { font-size: 12px; fill: #59636e }
    .ours { fill: #0969da }
    .second { fill: #54aeff }
    .other { fill: #afb8c1 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #3d444d }
      text { fill: #f0f6fc }
      .quiet, .note { fill: #9198a1 }
      .ours { fill: #4493f8 }
      .second { fill: #2a5a9c }
      .other { fill: #656c76 }
    }`

/** Returns the chart as the text of an SVG file. */
export function renderBarChart(chart: BarChart): string {
  const parts: string[] = []
  let y = MARGIN + 14
  const write = (text: string, style: string, gap: number): void => {
    parts.push(textAt(MARGIN, y, text, style))
    y += gap
  }
  write(chart.title, 'title', 20)
  write(chart.subtitle, 'quiet', 30)
  const maxOfAll = maxOf(chart.groups.flatMap(({ bars }) => bars))
  for (const { heading, bars } of chart.groups) {
    write(heading, 'heading', 8)
    const max = chart.scaleByGroup ? maxOf(bars) : maxOfAll
    for (const bar of bars) {
      parts.push(...renderBar(bar, y, max))
      y += ROW
    }
    y += 22
  }
  for (const note of chart.notes) write(note, 'note', 17)
  const height = y + MARGIN - 17
  const description = `${chart.title}. ${chart.subtitle}`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(description)}">
  <title>${escape(description)}</title>
  <style>${STYLE}
  </style>
  <rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
  ${parts.join('\n  ')}
</svg>
`
}

function renderBar({ label, value, text, tone }: Bar, y: number, max: number): string[] {
  const x = MARGIN + LABEL_WIDTH
  const width = Math.max(1, Math.round((value / max) * BAR_WIDTH_MAX))
  return [
    textAt(MARGIN, y + 12, label, 'quiet'),
    `<rect class="${tone}" x="${x}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2"/>`,
    textAt(x + width + 8, y + 12, text, ''),
  ]
}

function textAt(x: number, y: number, text: string, style: string): string {
  const attribute = style === '' ? '' : ` class="${style}"`
  return `<text${attribute} x="${x}" y="${y}">${escape(text)}</text>`
}

function maxOf(bars: readonly Bar[]): number {
  return Math.max(...bars.map(({ value }) => value))
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
