import { open, type FileHandle } from 'node:fs/promises'

import { BreachedFault } from './breached-fault.ts'

/** A SHA-1, and how often the password was seen. */
const LINE = /^([\dA-F]{40}):(\d{1,15})$/i

/** Not shorter than any line with its line break. */
const LINE_BYTES_MAX = 64

/** A part of the file that is read at once. It must be more than twice as long as a line. */
const BLOCK_BYTES = 4_096

/**
 * Whether a sorted file of lines `SHA-1:COUNT` has a hash with a count above 0. A binary search reads about 25 short
 * pieces of a file of 40 GB. The file is opened for each look-up, so the operator can replace it at any time. Throws
 * a `BreachedFault` if a line that it reads has another form, and Node's error if the file cannot be read.
 */
export async function isInFile(path: string, sha1Hex: string): Promise<boolean> {
  return withFile(path, (file, size) => search(file, size, sha1Hex.toUpperCase()))
}

/**
 * Checks the first and the last line of the file. Throws a `BreachedFault` if they are not lines `SHA-1:COUNT` in this
 * order, and Node's error if the file cannot be read.
 */
export async function checkBreachedFile(path: string): Promise<void> {
  await withFile(path, async (file, size) => {
    const ends = [0, Math.max(0, size - LINE_BYTES_MAX)]
    const [head = '', tail = ''] = await Promise.all(
      ends.map((at) => read(file, at, Math.min(size, at + LINE_BYTES_MAX))),
    )
    const [first] = linesOf(head)
    const last = linesOf(tail).at(-1)
    if (first === undefined || last === undefined) throw new BreachedFault('malformed')
    if (parseLine(first).hash > parseLine(last).hash) throw new BreachedFault('malformed')
  })
}

async function withFile<T>(
  path: string,
  work: (file: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  const file = await open(path)
  try {
    return await work(file, (await file.stat()).size)
  } finally {
    await file.close()
  }
}

/** `low` and `high` are always beginnings of lines, or the end. The hash can only be in a line between them. */
async function search(file: FileHandle, size: number, wanted: string): Promise<boolean> {
  let low = 0
  let high = size
  while (high - low > BLOCK_BYTES) {
    const middle = low + Math.floor((high - low) / 2)
    const { start, hash, count } = await lineAfter(file, middle)
    if (hash === wanted) return count > 0
    if (hash < wanted) low = start
    else high = start
  }
  const lines = linesOf(await read(file, low, high)).map(parseLine)
  return lines.some(({ hash, count }) => hash === wanted && count > 0)
}

/** Reads the first line that begins after a position. The caller knows that there is one. */
async function lineAfter(file: FileHandle, position: number): Promise<Line & { start: number }> {
  const text = await read(file, position, position + 2 * LINE_BYTES_MAX)
  const skipped = text.indexOf('\n') + 1
  if (skipped === 0) throw new BreachedFault('malformed')
  const [line = ''] = text.slice(skipped).split(/\r?\n/, 1)
  return { ...parseLine(line), start: position + skipped }
}

/** Reads the bytes from `start` to before `end`, or to the end of the file. */
async function read(file: FileHandle, start: number, end: number): Promise<string> {
  const bytes = Buffer.alloc(end - start)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
  return bytes.toString('latin1', 0, bytesRead)
}

interface Line {
  readonly hash: string
  readonly count: number
}

function parseLine(line: string): Line {
  const [, hash, count] = LINE.exec(line) ?? []
  if (hash === undefined) throw new BreachedFault('malformed')
  return { hash: hash.toUpperCase(), count: Number(count) }
}

function linesOf(text: string): readonly string[] {
  return text.split(/\r?\n/).filter((line) => line !== '')
}
