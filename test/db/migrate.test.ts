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

  test('the planner expects some thirty members of a room, whatever a sample says', async () => {
    await using database = await disposable(version)
    const { db } = database
    await migrateUp(db)
    const fill = sql`
      insert into archive.member_records (room_id, user_id, archived_at, changed_at)
      select n, 'a', now(), now() from generate_series(1, 3000) as n`
    await fill.execute(db)
    await sql`analyze archive.member_records`.execute(db)
    expect(await membersExpected(database)).toBe(30)
    // An archive that was there before is told at once.
    let taken: string | undefined
    do taken = (await migrateDown(db))[0]?.migrationName
    while (taken !== '0008-members-of-a-room')
    expect(await membersExpected(database)).toBe(1)
    await migrateUp(db)
    expect(await membersExpected(database)).toBe(30)
  })
})

async function membersExpected({ db }: Awaited<ReturnType<typeof disposable>>): Promise<number | undefined> {
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`
    explain (format json) select from archive.member_records where room_id = 7`.execute(db)
  return rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows']
}

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
