import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { connect, isDatabaseTrouble } from '../../lib/db/connect'
import { poolForKysely } from '../../lib/db/kysely-pool'
import type { Database } from '../../lib/db/tables'
import { createEmptyDatabase, type TestDatabase } from '../support/database'

let database: TestDatabase
/** A single connection. */
let db: Kysely<Database>
beforeAll(async () => {
  database = await createEmptyDatabase()
  await sql`create table things (id int, name text)`.execute(database.db)
  await sql`insert into things values (1, 'one'), (2, 'two')`.execute(database.db)
})
afterAll(() => database.drop())
beforeEach(() => {
  db = connect({ url: database.url, max: 1 })
  return () => db.destroy()
})

async function find(id: number): Promise<unknown[]> {
  const { rows } = await sql`select * from things where id = ${id}`.execute(db)
  return rows
}

async function prepared(): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`select statement from pg_prepared_statements`.execute(db)
  return rows.map(({ statement }) => statement)
}

test('a statement that comes again is prepared, whatever its values; one without values is not', async () => {
  await find(1)
  expect(await prepared()).toEqual([])
  await find(2)
  await find(1)
  expect(await prepared()).toEqual(['select * from things where id = $1'])
})

test('statements that are different each time do not fill the server', async () => {
  for (let round = 0; round < 2; round++)
    for (let index = 0; index < 150; index++) await sql`select ${sql.raw(String(index))}, ${index}::int`.execute(db)
  for (let round = 0; round < 2; round++)
    for (let index = 0; index < 99; index++) await sql`select ${sql.raw(`-${index}`)}, ${index}::int`.execute(db)
  expect((await prepared()).length).toBeLessThanOrEqual(100)
  expect(await find(2)).toEqual([{ id: 2, name: 'two' }])
})

test('behind a pooler that forgets prepared statements one fails, and no other is prepared', async () => {
  for (const id of [1, 2, 1]) await find(id)
  await sql`deallocate all`.execute(db)
  await expect(find(1)).rejects.toMatchObject({ code: '26000' })
  for (const id of [1, 2]) expect(await find(id)).toHaveLength(1)
  expect(await prepared()).toEqual([])
})

test('a statement whose columns a migration has changed fails once, and is prepared anew', async () => {
  for (const id of [1, 2, 1]) await find(id)
  await sql`alter table things add column more text`.execute(database.db)
  await expect(find(1)).rejects.toMatchObject({ code: '0A000' })
  expect(await find(1)).toEqual([{ id: 1, name: 'one', more: null }])
})

test('a connection that was made while the database only read does not outlast that', async () => {
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(database.db)
  const name = sql.id(rows[0]?.name ?? '')
  await sql`alter database ${name} set default_transaction_read_only = on`.execute(database.db)
  const write = () => sql`update things set name = 'three' where id = ${3}`.execute(db)
  await expect(write()).rejects.toMatchObject({ code: '25006' })
  await sql`alter database ${name} reset default_transaction_read_only`.execute(database.db)
  await write()
})

test('a connection that the server has ended is not lent again', async () => {
  const ended = sql`select pg_terminate_backend(pg_backend_pid())`.execute(db)
  await expect(ended).rejects.toMatchObject({ code: '57P01' })
  expect(await find(2)).toHaveLength(1)
})

test('a transaction that PostgreSQL rolls back when it is to be committed has failed', async () => {
  const lost = db.transaction().execute(async (tx) => {
    await sql`insert into things values (3, 'three')`.execute(tx)
    await sql`select 1 / 0`.execute(tx).catch(() => undefined)
  })
  const error = await lost.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ message: 'Transaction was rolled back instead of committed' })
  expect(isDatabaseTrouble(error)).toBe(true)
  expect(await find(3)).toEqual([])
})

test('a connection whose transaction could not be rolled back is not lent once more', async () => {
  const released: unknown[] = []
  const client = {
    async query({ text }: { text: string }) {
      if (text !== 'begin') throw new Error(`no ${text}`)
      return { command: 'BEGIN', rows: [] }
    },
    release: (isSpent: unknown) => released.push(isSpent),
  }
  const pool = { connect: async () => client } as unknown as pg.Pool
  const broken = new Kysely<Database>({ dialect: new PostgresDialect({ pool: poolForKysely(pool) }) })
  const failing = broken.transaction().execute(async () => {
    throw new Error('no use')
  })
  await expect(failing).rejects.toThrow()
  expect(released).toEqual([true])
})
