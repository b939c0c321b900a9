import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import { connect } from '../../lib/db/connect'
import type { TestDatabase } from './database'

/** SQLSTATE of what a role may not do. */
export const insufficientPrivilege = '42501'

/**
 * A login role, as people make them; it is dropped with what it owns.
 *
 * @param attributes of `create role`
 */
export async function login(
  { db: admin, url }: Pick<TestDatabase, 'db' | 'url'>,
  attributes: string,
  { max }: { max?: number } = {},
) {
  const role = `login_${randomUUID().slice(0, 8)}`
  await sql`create role ${sql.id(role)} login password 'secret' ${sql.raw(attributes)}`.execute(admin)
  const own = Object.assign(new URL(url), { username: role, password: 'secret' }).toString()
  const db = connect({ url: own, ...(max !== undefined && { max }) })
  return {
    role,
    db,
    async [Symbol.asyncDispose]() {
      await db.destroy()
      await sql`drop owned by ${sql.id(role)}`.execute(admin)
      await sql`drop role ${sql.id(role)}`.execute(admin)
    },
  }
}

/** What PostgreSQL refuses a statement for, its SQLSTATE, or `allowed`. */
export async function refusalOf(statement: Promise<unknown>): Promise<string | undefined> {
  return statement.then(
    () => 'allowed',
    (error: unknown) => (error instanceof pg.DatabaseError ? error.code : String(error)),
  )
}
