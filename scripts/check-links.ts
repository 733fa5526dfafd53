import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Finds broken links in the Markdown files: a missing file, or a heading that the file does not have. Returns
 * one line for each, `FILE: TARGET is not there`. Does not follow links to other hosts.
 *
 * Throws if it found no file. Otherwise the check would always pass.
 */
export function findBrokenLinks(): string[] {
  const files = globSync('**/*.md', {
    cwd: root,
    exclude: (name) => ['node_modules', 'build', 'data'].includes(name),
  })
  if (files.length === 0) throw new Error(`There is no Markdown file below ${root}.`)
  return files.toSorted().flatMap((file) =>
    linksOf(file)
      .filter((target) => !isThere(file, target))
      .map((target) => `${file}: ${target} is not there`),
  )
}

/** Returns the link and image targets outside code, without links to other hosts and to mail. */
function linksOf(file: string): string[] {
  const text = proseOf(file)
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)|\b(?:src|href)="([^"]+)"/g)].map(
    ([, inline, attribute]) => inline ?? attribute ?? '',
  )
  return targets.filter((target) => !/^[a-z]+:/.test(target))
}

function isThere(file: string, target: string): boolean {
  const [path = '', heading] = target.split('#', 2)
  const linked = path === '' ? file : relative(root, join(root, dirname(file), path))
  if (!existsSync(join(root, linked))) return false
  if (heading === undefined || statSync(join(root, linked)).isDirectory()) return true
  return !linked.endsWith('.md') || headingsOf(linked).has(heading)
}

/** Returns the anchors of a file's headings, as GitHub makes them. A repeated heading gets a number. */
function headingsOf(file: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of readProse(file).matchAll(/^#+ +(.+)$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-')
    let unique = anchor
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`
    anchors.add(unique)
  }
  return anchors
}

/** Returns the text without inline code too. There, brackets and parentheses are not links. */
function proseOf(file: string): string {
  return readProse(file).replaceAll(/`[^`\n]*`/g, '')
}

/** Returns the text without its blocks of code. */
function readProse(file: string): string {
  return readFileSync(join(root, file), 'utf8').replaceAll(/^(```+)[^\n]*\n[\s\S]*?^\1$/gm, '')
}

if (import.meta.main) {
  const broken = findBrokenLinks()
  for (const line of broken) process.stderr.write(`${line}\n`)
  if (broken.length > 0) process.exitCode = 1
}
