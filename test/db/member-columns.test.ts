import fc from 'fast-check'
import { type RawBuilder, sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordsOf, valueColumns } from '../../lib/db/landed-records'
import { encodeMembers, recordsFrom } from '../../lib/db/member-columns'
import { memberFields } from '../../lib/lcic/member-record'
import { readStoredPage } from '../../lib/lcic/statistics'
import { createTestDatabase, type TestDatabase } from '../support/database'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '"', '\\', '{}', '{"a"}', ' , ', 'NULL', '\0', '\ud800', 'x'.repeat(600), '温星舟', '🎓🧑‍🏫'),
)
const number = fc.oneof(
  fc.nat(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1.5, 2 ** 31 - 1, 2 ** 31, 253_402_300_799, 253_402_300_800, 1e300, 2 ** 60),
)
const anything = fc.oneof(text, number, fc.boolean(), fc.constant(null), fc.array(text, { maxLength: 3 }), fc.json())
const likely = { text, texts: fc.array(text, { maxLength: 4 }), count: number, code: number, time: number }
const record = fc.record(
  {
    ...Object.fromEntries(
      Object.entries(memberFields).map(([name, kind]) => [
        name,
        fc.oneof({ weight: 12, arbitrary: likely[kind] }, { weight: 2, arbitrary: fc.constant(null) }, anything),
      ]),
    ),
    SomethingNew: anything,
  },
  { requiredKeys: [] },
)

test('what PostgreSQL makes of records as arrays is what it makes of them as JSON, one page or several', async () => {
  let roomId = 0n
  const pages = fc.array(fc.array(record, { maxLength: 60 }), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(pages, async (drawn) => {
      roomId++
      const read = drawn.map((MemberRecords, index) =>
        readStoredPage(JSON.stringify({ Response: { Total: 1, MemberRecords, RequestId: `r-${index}` } })),
      )
      for (const [index, { body, records, figures, recordCount, contentHash }] of read.entries()) {
        await sql`
          insert into archive.raw_pages (
            room_id, attempt, page, body, records, figures, record_count, content_hash, fetched_at)
          values (${roomId}, 1, ${index + 1}, ${body}::json, ${records ? JSON.stringify(records) : null}::json,
            ${JSON.stringify(figures)}::jsonb, ${recordCount}, ${contentHash}, now())`.execute(database.db)
      }
      const asArrays = await rowsOf(recordsFrom(read.map(({ members }) => encodeMembers(members))))
      const asJson = await rowsOf(sql`select * from (${recordsOf(roomId, 1)}) as landed order by page, position`)
      expect(asArrays).toEqual(asJson)
      expect(asArrays).toHaveLength(drawn.flat().length)
    }),
    { numRuns: 60 },
  )
})

async function rowsOf(records: RawBuilder<unknown>): Promise<unknown[]> {
  const { rows } = await sql`select user_id, ${valueColumns} from (${records}) as records`.execute(database.db)
  return rows
}
