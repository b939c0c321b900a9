import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SimulatedRecord } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { postgresVersions } from '../support/database'

describe.each(postgresVersions)('on PostgreSQL %i, a value that its column cannot hold', (version) => {
  let archive: TestArchive
  beforeAll(async () => {
    archive = await openTestArchive({ version })
  })
  afterAll(() => archive.close())

  /** Archives one ordinary and one odd record; what the archive then has of the odd one. */
  async function archived(odd: Record<string, unknown>) {
    const record = { UserId: 'odd', ...odd } as SimulatedRecord
    const room = archive.school.addRoom({ members: [{ UserId: 'ordinary', PresentTime: 60 }, record] })
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 2 })
    const rows = await archive.db
      .selectFrom('archive.member_records')
      .selectAll()
      .where('room_id', '=', room.roomId)
      .where('user_id', '!=', 'ordinary')
      .execute()
    expect(rows).toHaveLength(1)
    // The page is as it came, whatever became of the value.
    const { rows: raw } = await sql<{ body: string }>`
      select body::text as body from archive.raw_pages where room_id = ${room.roomId}`.execute(archive.db)
    expect(JSON.parse(raw[0]?.body ?? '').Response.MemberRecords[1]).toEqual(JSON.parse(JSON.stringify(record)))
    return rows[0]
  }

  test.each([
    ['a fraction is rounded and kept', { PresentTime: 12.7 }, { present_seconds: 13, extra: { PresentTime: 12.7 } }],
    ['a whole number written as a fraction is that number', { HandUps: 3.0 }, { hand_ups: 3, extra: {} }],
    ['a negative count is NULL and kept', { HandUps: -1 }, { hand_ups: null, extra: { HandUps: -1 } }],
    ['a negative code is a code', { CurrentState: -7 }, { current_state: -7, extra: {} }],
    ['a code never seen before is stored', { Device: 4711, Role: 99 }, { device: 4711, role: 99, extra: {} }],
    ['the largest int4 is stored', { PresentTime: 2_147_483_647 }, { present_seconds: 2_147_483_647, extra: {} }],
    [
      'beyond int4 is NULL and kept',
      { PresentTime: 2_147_483_648 },
      { present_seconds: null, extra: { PresentTime: 2_147_483_648 } },
    ],
    ['far beyond is NULL and kept', { HandUps: 1e300 }, { hand_ups: null, extra: { HandUps: 1e300 } }],
    ['digits in a string are a number', { PresentTime: '61', Role: '1' }, { present_seconds: 61, role: 1, extra: {} }],
    ['words where a number belongs are NULL and kept', { Mic: 'on' }, { mic: null, extra: { Mic: 'on' } }],
    ['true is 1', { Camera: true, Stage: false }, { camera: 1, stage: 0, extra: {} }],
    ['an object where a number belongs is NULL and kept', { Mic: { on: 1 } }, { mic: null, extra: { Mic: { on: 1 } } }],
    ['null and absent are NULL', { Mic: null }, { mic: null, camera: null, extra: {} }],
    ['a number where a name belongs is its digits', { UserName: 12 }, { user_name: '12', extra: {} }],
    [
      'a list where a name belongs is NULL and kept',
      { UserName: ['a'] },
      { user_name: null, extra: { UserName: ['a'] } },
    ],
    ['NUL becomes U+FFFD', { UserName: 'a\0b' }, { user_name: 'a\u{FFFD}b', extra: {} }],
    ['a lone surrogate becomes U+FFFD', { UserName: 'a\ud83d' }, { user_name: 'a\u{FFFD}', extra: {} }],
    [
      'a pair of surrogates stays',
      { UserName: '👩‍🏫 \\ " \' $1 \\u0000' },
      { user_name: '👩‍🏫 \\ " \' $1 \\u0000', extra: {} },
    ],
    ['an empty name stays empty', { UserName: '' }, { user_name: '', extra: {} }],
    [
      'Unix 0 is no time',
      { FirstJoinTimestamp: 0, LastQuitTimestamp: null },
      { first_join_at: null, last_quit_at: null, extra: {} },
    ],
    [
      'a fraction of a second stays',
      { FirstJoinTimestamp: 1_700_000_000.25 },
      { first_join_at: new Date(1_700_000_000_250), extra: {} },
    ],
    [
      'a time before 1970 is NULL and kept',
      { FirstJoinTimestamp: -5 },
      { first_join_at: null, extra: { FirstJoinTimestamp: -5 } },
    ],
    [
      'milliseconds are no seconds: NULL and kept',
      { LastQuitTimestamp: 1_700_000_000_000 },
      { last_quit_at: null, extra: { LastQuitTimestamp: 1_700_000_000_000 } },
    ],
    [
      'the last second of 9999 is stored',
      { LastQuitTimestamp: 253_402_300_799 },
      { last_quit_at: new Date(253_402_300_799_000), extra: {} },
    ],
    [
      'lists of sub-groups are lists',
      { SubGroupId: ['a"b', '{c}', 'NULL', ''] },
      { sub_group_ids: ['a"b', '{c}', 'NULL', ''], extra: {} },
    ],
    ['an empty list is empty', { SubGroupId: [] }, { sub_group_ids: [], extra: {} }],
    ['a lone sub-group is a list of one', { SubGroupId: 'a' }, { sub_group_ids: ['a'], extra: {} }],
    [
      'a list of other things keeps what are texts',
      { SubGroupId: ['a', null, 3] },
      { sub_group_ids: ['a', '3'], extra: { SubGroupId: ['a', null, 3] } },
    ],
    [
      'unknown fields are kept',
      { New: { a: [1, null] }, extra: 7, page: 1 },
      { extra: { New: { a: [1, null] }, extra: 7, page: 1 } },
    ],
    ['unknown fields with NUL in name and value are kept', { 'N\0': 'v\0' }, { extra: { 'N\u{FFFD}': 'v\u{FFFD}' } }],
    ['a user id that is a number is its digits', { UserId: 42 }, { user_id: '42', extra: {} }],
    ['an address that is none is text', { IPAddress: 'unknown' }, { ip_address: 'unknown', extra: {} }],
  ])('%s', async (_, odd, expected) => {
    expect(await archived(odd)).toMatchObject(expected)
  })

  test('user ids too long for an index are shortened, stay different, and are kept whole', async () => {
    const id = 'x'.repeat(5000)
    const room = archive.school.addRoom({ members: [{ UserId: `${id}1` }, { UserId: `${id}2` }] })
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 2 })
    const rows = await archive.db
      .selectFrom('archive.member_records')
      .selectAll()
      .where('room_id', '=', room.roomId)
      .execute()
    expect(rows.map(({ extra }) => String(Reflect.get(extra, 'UserId'))).sort()).toEqual([`${id}1`, `${id}2`])
  })

  test('figures of the room follow the same rules, and fields nobody knows are kept', async () => {
    const room = archive.school.addRoom({
      members: 2,
      figures: { PeakMemberNumber: 2.5, MessageCount: -3, RealStartTime: 0, RealEndTime: null, ...{ Mood: 'good\0' } },
    })
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived' })
    const row = await archive.db
      .selectFrom('archive.rooms')
      .selectAll()
      .where('room_id', '=', room.roomId)
      .executeTakeFirstOrThrow()
    expect(row).toMatchObject({ peak_member_number: 3, message_count: null, real_start_at: null, real_end_at: null })
    expect(row.extra).toMatchObject({ PeakMemberNumber: 2.5, MessageCount: -3 })
  })

  test('a class after 2038 has its times', async () => {
    const room = archive.school.addRoom({
      members: 1,
      figures: { RealStartTime: 4_000_000_000, RealEndTime: 4_000_003_600 },
    })
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived' })
    const rows = archive.db.selectFrom('archive.rooms').select('real_end_at').where('room_id', '=', room.roomId)
    expect(await rows.execute()).toEqual([{ real_end_at: new Date(4_000_003_600_000) }])
  })

  test('room ids up to the end of bigint are archived under their own number', async () => {
    for (const roomId of [2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
      archive.school.addRoom({ roomId, members: 2 })
      expect(await archive.archive(roomId)).toMatchObject({ outcome: 'archived', roomId })
      expect(archive.simulator.requests.at(-1)?.roomId).toBe(roomId)
    }
  })
})
