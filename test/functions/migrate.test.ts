import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrations } from '../../migrations'
import { createEmptyDatabase, type TestDatabase } from '../support/database'
import { answerOf, type Functions, openFunctions } from '../support/functions'

let functions: Functions
let empty: TestDatabase

beforeAll(async () => {
  functions = await openFunctions()
  empty = await createEmptyDatabase()
})

afterAll(async () => {
  await functions?.close()
  await empty?.drop()
})

test('an empty database is brought up to date, and after that there is nothing to do', async () => {
  const instance = await functions.start('migrate', { environment: { DATABASE_URL: empty.url } })
  const names = Object.keys(migrations)
  const first = answerOf<{ applied: string[]; migrations: object[] }>(await instance.invoke({}))
  expect(first.applied).toEqual(names)
  expect(first.migrations).toEqual(names.map((name) => ({ name, applied_at: expect.stringMatching(/^20\d\d-/) })))
  expect(answerOf(await instance.invoke(null))).toEqual({ ...first, applied: [] })
  await sql`select from archive.jobs`.execute(empty.db)
})

test('every function says which variable is missing, whatever it is asked, and lives on', async () => {
  for (const file of ['migrate', 'room-ended', 'archive-rooms', 'sweep-rooms']) {
    const instance = await functions.start(file, { environment: { DATABASE_URL: '' } })
    for (let times = 0; times < 2; times++) {
      const { error, died, idleAfterMs } = await instance.invoke({})
      expect({ error, died }).toEqual({ error: expect.stringMatching(/DATABASE_URL.*\[E_CONFIG\]/s), died: false })
      expect(idleAfterMs).toBeLessThan(100)
    }
  }
})
