import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../lib/db/tables'
import { writeDictionary } from '../../lib/docs'
import { questions } from '../../lib/docs/questions'
import { insertRooms, insertRows, shanghai } from '../analytics/rows'
import { workedRooms } from '../analytics/worked-class'
import { courseRooms } from '../analytics/worked-course'
import { doubtfulRooms, mixedRoom, monthlyRooms } from '../analytics/worked-rooms'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'
import { type ShownSql, sqlIn } from './documents'

/** How much SQL there is at least, so that none is overlooked. */
const documents = {
  'README.md': 5,
  'README.zh-CN.md': 5,
  'CONTRIBUTING.md': 0,
  'LAKEHOUSE.md': 1,
  'LAKEHOUSE.zh-CN.md': 1,
  'SCALE.md': 0,
  'DATA-DICTIONARY.md': questions.length + 1,
}

async function shownSql(): Promise<ShownSql[]> {
  return (await Promise.all(Object.keys(documents).map(sqlIn))).flat()
}

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(version)
    const { db } = database
    await insertRooms(db, [...workedRooms, ...courseRooms, ...monthlyRooms, mixedRoom, ...doubtfulRooms])
    const ended_at = shanghai('2026-03-02', '10:00:00')
    const job = { sdk_app_id: 1, attempts: 9, hinted_by: 'sweep', waits: false, deadline_at: ended_at }
    await insertRows(db, 'jobs', [
      { ...job, room_id: 999, state: 'failed', ended_at, created_at: ended_at, updated_at: ended_at },
    ])
  })
  afterAll(() => database?.drop())

  test('every example question has an answer, for a role that may see no more than it needs', async () => {
    expect(questions.length).toBeGreaterThanOrEqual(15)
    for (const { question, sql: query } of questions) {
      const [rows] = await runs(database.db, [query])
      expect([question, rows?.length ?? 0]).not.toEqual([question, 0])
    }
  })

  test('all SQL in the documents runs', async () => {
    for (const { document, line, statements } of await shownSql()) {
      const outcome = await runs(database.db, statements).catch((error: Error) => error.message)
      expect([document, line, typeof outcome === 'string' ? outcome : 'ran']).toEqual([document, line, 'ran'])
    }
  })

  test('the dictionary is that of the database: npm run docs makes it anew', async () => {
    for (const format of ['md', 'html'] as const) {
      const text = await writeDictionary(database.db, format)
      await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '..', '..', `DATA-DICTIONARY.${format}`))
    }
  })
})

test('no SQL in the documents is overlooked', async () => {
  const shown = await shownSql()
  for (const [document, least] of Object.entries(documents)) {
    const found = shown.filter((sqls) => sqls.document === document).length
    expect([document, found >= least]).toEqual([document, true])
  }
})

/** Runs them one after the other, as whoever needs no more rights, and takes all of it back. */
async function runs(db: Kysely<Database>, statements: readonly string[]): Promise<unknown[][]> {
  const results: unknown[][] = []
  const text = statements.join('\n')
  const done = new Error('done')
  await db
    .transaction()
    .execute(async (tx) => {
      if (/\banalytics/.test(text) && !/\b(archive\.|create|alter|grant)/.test(text)) {
        const groups = /\banalytics_pii\b/.test(text) ? 'lcic_reader, lcic_pii_reader' : 'lcic_reader'
        await sql.raw(`create role documents_reader in role ${groups}`).execute(tx)
        await sql`set local role documents_reader`.execute(tx)
      }
      for (const statement of statements) results.push((await sql.raw(statement).execute(tx)).rows)
      throw done
    })
    .catch((error: unknown) => {
      if (error !== done) throw error
    })
  return results
}
