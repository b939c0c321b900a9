import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { listMigrations, migrateDown, migrateUp, pendingMigrations } from '../../lib/db/migrate'
import { migrations } from '../../migrations'
import { createEmptyDatabase, type PostgresVersion, postgresVersions } from '../support/database'

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  test('six migrators at once apply each migration once', async () => {
    await using database = await disposable(version)
    const { db } = database
    const results = await Promise.all(Array.from({ length: 6 }, () => migrateUp(db)))
    expect(results.flat().map(({ migrationName }) => migrationName)).toEqual(Object.keys(migrations))
    expect(await pendingMigrations(db)).toEqual([])
  })

  test('each migration has its way back, and back up again', async () => {
    await using database = await disposable(version)
    const { db } = database
    await migrateUp(db)
    const { length } = await listMigrations(db)
    for (let taken = 0; taken < length; taken++) expect(await migrateDown(db)).toHaveLength(1)
    expect(await tablesOf(database)).toEqual(['migrations', 'migrations_lock'])
    expect(await pendingMigrations(db)).toHaveLength(length)
    await migrateUp(db)
    expect(await tablesOf(database)).toContain('member_records')
  })

  test('every table and every column has a comment', async () => {
    await using database = await disposable(version)
    await migrateUp(database.db)
    const { rows } = await sql<{ uncommented: string }>`
      select c.relname as uncommented from pg_class c
      where c.relnamespace = 'archive'::regnamespace and c.relkind = 'r' and obj_description(c.oid, 'pg_class') is null
      union all
      select format('%s.%s', c.relname, a.attname)
      from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'archive'::regnamespace and c.relkind = 'r' and a.attnum > 0
        and not a.attisdropped and col_description(c.oid, a.attnum) is null`.execute(database.db)
    expect(rows).toEqual([])
  })
})

async function disposable(version: PostgresVersion) {
  const database = await createEmptyDatabase(version)
  return { ...database, [Symbol.asyncDispose]: database.drop }
}

async function tablesOf({ db }: Awaited<ReturnType<typeof disposable>>): Promise<string[]> {
  const { rows } = await sql<{ relname: string }>`
    select relname from pg_class
    where relnamespace = 'archive'::regnamespace and relkind = 'r' order by relname`.execute(db)
  return rows.map(({ relname }) => relname)
}
