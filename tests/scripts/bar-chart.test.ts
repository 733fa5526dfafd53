import { expect, test } from 'vitest'

import { renderBarChart, type Bar } from '../../scripts/lib/bar-chart.ts'

const bar = (label: string, value: number): Bar => ({
  label,
  value,
  text: `${value}`,
  tone: 'ours',
})

function widthsOf(svg: string): number[] {
  return [...svg.matchAll(/<rect class="ours"[^>]* width="(\d+)"/g)].map(([, width]) =>
    Number(width),
  )
}

function draw(scaleByGroup: boolean): string {
  return renderBarChart({
    title: 'A <title> & more',
    subtitle: 'Longer is better.',
    groups: [
      { heading: 'one', bars: [bar('a', 100), bar('b', 50), bar('c', 0)] },
      { heading: 'two', bars: [bar('d', 25)] },
    ],
    notes: ['a machine'],
    scaleByGroup,
  })
}

test('the length of a bar shows its value, on one scale for all groups or on one scale for each', () => {
  const [a = 0, b, c, d] = widthsOf(draw(false))
  expect([b, c, d]).toEqual([a / 2, 1, a / 4])
  expect(widthsOf(draw(true))[3]).toBe(a)
})

test('text is escaped, and the same input produces the same picture', () => {
  expect(draw(true)).toContain('A &lt;title> &amp; more')
  expect(draw(true)).toBe(draw(true))
  expect(draw(true)).not.toMatch(/url\(|@import|href/)
})
