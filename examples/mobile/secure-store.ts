import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Stands in for `expo-secure-store`, which needs a phone: the same functions, with the same rule for keys. A phone keeps
 * the values in its keychain. This module keeps them in a file, readable by its owner.
 */
const FILE = process.env['STORE'] ?? './data/store.json'

/** Returns the value of a key, or null. */
export async function getItemAsync(key: string): Promise<string | null> {
  return (await readAll())[checked(key)] ?? null
}

/** Stores a value. */
export async function setItemAsync(key: string, value: string): Promise<void> {
  await writeAll({ ...(await readAll()), [checked(key)]: value })
}

/** Removes a value. */
export async function deleteItemAsync(key: string): Promise<void> {
  const { [checked(key)]: _, ...rest } = await readAll()
  await writeAll(rest)
}

function checked(key: string): string {
  if (!/^[\w.-]+$/.test(key)) throw new Error(`SecureStore does not allow the key ${key}`)
  return key
}

async function readAll(): Promise<Record<string, string>> {
  // Only this module writes the file.
  const text = await readFile(FILE, 'utf8').catch(() => '{}')
  return JSON.parse(text) as Record<string, string>
}

async function writeAll(values: Record<string, string>): Promise<void> {
  await mkdir(dirname(FILE), { recursive: true })
  await writeFile(`${FILE}.new`, JSON.stringify(values), { mode: 0o600 })
  await rename(`${FILE}.new`, FILE)
}
