import fc from 'fast-check'
import { type RawBuilder, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { recordsOf } from '../../lib/db/landed-records'
import { encodeMembers, recordsFrom } from '../../lib/db/member-columns'
import { parseLossless } from '../../lib/lcic/lossless-json'
import { cleanRecord, isLoadable, memberFields } from '../../lib/lcic/member-record'
import { readStoredPage } from '../../lib/lcic/statistics'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'
import { always } from '../support/fuzz'
import { listText, nameText, numberText, objectText, stringText, valueText } from '../support/json-text'

const columnOf: Readonly<Record<string, string>> = {
  UserId: 'user_id',
  UserName: 'user_name',
  PresentTime: 'present_seconds',
  Camera: 'camera',
  Mic: 'mic',
  Silence: 'silence',
  AnswerQuestions: 'answer_questions',
  HandUps: 'hand_ups',
  FirstJoinTimestamp: 'first_join_at',
  LastQuitTimestamp: 'last_quit_at',
  Rewords: 'rewards',
  IPAddress: 'ip_address',
  Location: 'location',
  Device: 'device',
  PerMemberMicCount: 'mic_count',
  PerMemberMessageCount: 'message_count',
  Role: 'role',
  GroupId: 'group_id',
  SubGroupId: 'sub_group_ids',
  Stage: 'stage',
  CurrentState: 'current_state',
}

/** Whole numbers in all the forms that JSON has for them, such as are next to nothing included. */
const wholeText = fc
  .tuple(
    fc.oneof(fc.nat(10_000), fc.nat(2_147_483_647)),
    fc.constantFrom('', '', '', '.0', 'e0', 'E+0', '.000e-0', '00e-2', '.'),
  )
  .map(([number, form]) =>
    form === '.' ? `${number / 100}e2` : `${number}${number === 0 ? form.replace('00e', 'e') : form}`,
  )
const nextToNothing = fc.constantFrom(
  '1e-400',
  '0.1E-999',
  `0.${'0'.repeat(330)}1`,
  '-0',
  '-0.0',
  '0e999',
  '5e-324',
  '-1e-400',
)
const secondsText = fc.oneof(
  fc.nat(2_000_000_000).map(String),
  fc.tuple(fc.nat(2_000_000_000), fc.nat(999_999)).map((parts) => parts.join('.')),
  wholeText,
  nextToNothing,
)
const valueTexts = {
  text: fc.oneof(stringText, stringText, numberText),
  texts: listText(fc.array(stringText, { maxLength: 4 })),
  count: fc.oneof({ weight: 8, arbitrary: wholeText }, { weight: 1, arbitrary: nextToNothing }),
  code: fc.oneof({ weight: 8, arbitrary: wholeText.map((text) => `-${text}`) }, { weight: 8, arbitrary: wholeText }),
  time: secondsText,
}
const field = nameText(Object.keys(memberFields)).chain((name) =>
  fc.tuple(
    fc.constant(name),
    fc.oneof(
      { weight: 30, arbitrary: valueTexts[memberFields[JSON.parse(name)] ?? 'text'] },
      { weight: 2, arbitrary: fc.constant('null') },
      { weight: 1, arbitrary: valueText },
    ),
  ),
)
const record = objectText(
  fc
    .tuple(fc.uuid(), fc.uniqueArray(field, { maxLength: 8, selector: ([name]) => JSON.parse(name) }))
    .map(([id, fields]) => {
      const others = fields.filter(([name]) => JSON.parse(name) !== 'UserId')
      return [['"UserId"', `"${id}"`] as const, ...others]
    }),
)
const RECORDS = 40
const all = { minLength: RECORDS, maxLength: RECORDS }
// One record that cannot be loaded has all of its page written anew.
const ordinary = record.filter((text) => isLoadable(JSON.parse(text)))
const records = fc.oneof(fc.array(ordinary, all), fc.array(record, all))

/** In places that JavaScript passes over. */
const unseen = fc.oneof(
  fc.constant('1'),
  fc.constantFrom('"\\u0000"', '["\\ud83d"]', '{"\\uDE00":1}', '"\\ud83d\\ude00"', '1e-400'),
)

describe.each(postgresVersions)('PostgreSQL %i', (version) => {
  let database: TestDatabase
  let roomId = 0n
  beforeAll(async () => {
    database = await createTestDatabase(version)
  })
  afterAll(() => database?.drop())

  async function rowsOf(source: RawBuilder<unknown>): Promise<Record<string, unknown>[]> {
    const { rows } = await sql<{ row: Record<string, unknown> }>`
      select to_jsonb(r) - 'page' - 'position'
        || jsonb_build_object('first_join_at', extract(epoch from first_join_at)::float8,
          'last_quit_at', extract(epoch from last_quit_at)::float8) as row
      from (${source}) as r`.execute(database.db)
    return rows.map(({ row }) => row)
  }

  always(
    'a record that can be loaded is loaded unchanged, from its page as it came and from memory; of others the nearest that is true',
    [records, unseen],
    async (texts, text) => {
      const list = `"MemberRecords":[${texts.join(',')}]`
      const page = readStoredPage(
        `{"A":${text},"Response":{"Total":${text}},"Response":{"Total":1,"New":${text},"New":1,${list},"RequestId":"r"}}`,
      )
      roomId++
      await sql`
        insert into archive.raw_pages (
          room_id, attempt, page, body, records, figures, record_count, content_hash, fetched_at)
        values (${roomId}, 1, 1, ${page.body}::json, ${page.records ? JSON.stringify(page.records) : null}::json,
          ${JSON.stringify(page.figures)}::jsonb, ${page.recordCount}, ${page.contentHash}, now())`.execute(database.db)
      const landed = await rowsOf(sql`select * from (${recordsOf(roomId, 1)}) as landed order by page, position`)
      expect(await rowsOf(recordsFrom([encodeMembers(page.members)]))).toEqual(landed)
      expect(landed).toHaveLength(texts.length)
      for (const [index, text] of texts.entries()) {
        // Whole numbers that JavaScript would round are their digits to PostgreSQL, too.
        const said = Object(parseLossless(text))
        const row = landed[index] ?? {}
        const isWhole = isLoadable(said)
        const wanted = isWhole ? said : cleanRecord(said)
        for (const [name, column] of Object.entries(columnOf)) expectColumn(row[column], name, wanted[name])
        expect(row.extra).toEqual(isWhole ? {} : JSON.parse(JSON.stringify(wanted.extra)))
      }
    },
    { cases: 8 * RECORDS, casesAtOnce: RECORDS },
  )
})

function expectColumn(found: unknown, name: string, wanted: unknown): void {
  if (memberFields[name] !== 'time') {
    expect(found, name).toEqual(typeof wanted === 'number' ? wanted + 0 : (wanted ?? null))
  } else if (wanted === null || wanted === undefined || wanted === 0) expect(found, name).toBeNull()
  // PostgreSQL keeps microseconds.
  else expect(Math.abs(Number(found) - Number(wanted)), name).toBeLessThan(2e-6)
}
