import { randomBytes, randomUUID, scrypt, timingSafeEqual } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'

import type { AccountSource, SourceAccount } from 'countersign'

const derive = promisify<string, Buffer, number, Buffer>(scrypt)

/** A user of this application. */
export interface User extends SourceAccount {
  readonly passwordHash: Buffer
  readonly salt: Buffer
}

/** The application's own table of users, with the adapter for Countersign. */
export class Users implements AccountSource<User> {
  readonly #db: DatabaseSync

  constructor(path: string) {
    this.#db = new DatabaseSync(path)
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS users (
        id            TEXT PRIMARY KEY,
        email         TEXT NOT NULL UNIQUE COLLATE NOCASE,
        is_active     INTEGER NOT NULL DEFAULT 1,
        roles         TEXT NOT NULL,
        password_hash BLOB NOT NULL,
        salt          BLOB NOT NULL
      ) STRICT`)
  }

  // The adapter: Countersign calls these three methods.

  find(email: string): User | undefined {
    return this.#read('SELECT * FROM users WHERE email = ?', email)
  }

  get(id: string): User | undefined {
    return this.#read('SELECT * FROM users WHERE id = ?', id)
  }

  async verifyPassword(user: User, password: string): Promise<boolean> {
    return timingSafeEqual(user.passwordHash, await derive(password, user.salt, 32))
  }

  // Only the application uses the other methods.

  async add(email: string, password: string, roles: readonly string[]): Promise<void> {
    const salt = randomBytes(16)
    const hash = await derive(password, salt, 32)
    this.#db
      .prepare('INSERT INTO users (id, email, roles, password_hash, salt) VALUES (?, ?, ?, ?, ?)')
      .run(randomUUID(), email, JSON.stringify(roles), hash, salt)
  }

  /** Returns false if there is no such user. */
  disable(id: string): boolean {
    return this.#db.prepare('UPDATE users SET is_active = 0 WHERE id = ?').run(id).changes === 1
  }

  list(): { id: string; email: string; isActive: boolean }[] {
    return this.#db
      .prepare('SELECT id, email, is_active FROM users ORDER BY email')
      .all()
      .map((row) => ({
        id: String(row['id']),
        email: String(row['email']),
        isActive: row['is_active'] === 1,
      }))
  }

  close(): void {
    this.#db.close()
  }

  #read(sql: string, value: string): User | undefined {
    const row = this.#db.prepare(sql).get(value)
    return (
      row && {
        id: String(row['id']),
        username: String(row['email']),
        isActive: row['is_active'] === 1,
        roles: JSON.parse(String(row['roles'])) as string[],
        passwordHash: Buffer.from(row['password_hash'] as Uint8Array),
        salt: Buffer.from(row['salt'] as Uint8Array),
      }
    )
  }
}
