import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { replayRoom } from '../../lib/archive/replay-room'
import type { SimulatedRecord, SimulatedRoom } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { postgresVersions } from '../support/database'
import { expectTruth } from '../support/truth'

describe.each(postgresVersions)('PostgreSQL %i', (version) => {
  let archive: TestArchive
  beforeAll(async () => {
    archive = await openTestArchive({ version })
  })
  afterAll(() => archive?.close())

  const historyOf = ({ roomId }: SimulatedRoom) =>
    archive.db
      .selectFrom('archive.history')
      .selectAll()
      .where('room_id', '=', roomId)
      .orderBy('revision')
      .orderBy('user_id')
      .execute()

  const roomOf = ({ roomId }: SimulatedRoom) =>
    archive.db.selectFrom('archive.rooms').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()

  const membersOf = ({ roomId }: SimulatedRoom) =>
    archive.db
      .selectFrom('archive.member_records')
      .selectAll()
      .where('room_id', '=', roomId)
      .orderBy('user_id')
      .execute()

  async function archivedRoom(members: number): Promise<SimulatedRoom> {
    const room = archive.school.addRoom({ members })
    await archive.archive(room.roomId)
    expect(await historyOf(room)).toEqual([])
    return room
  }

  function memberOf(room: SimulatedRoom, index: number): SimulatedRecord {
    const member = room.members[index]
    if (!member) throw new Error(`no member ${index}`)
    return member
  }

  /** In the order of the table. */
  const byUser = <Row extends { user_id: string }>(rows: readonly Row[]) =>
    rows.toSorted((a, b) => Buffer.compare(Buffer.from(a.user_id), Buffer.from(b.user_id)))

  test('three changed members of 1,000 and a changed figure leave exactly the old values of the columns that changed', async () => {
    const room = await archivedRoom(1000)
    const [one, two, three] = [memberOf(room, 1), memberOf(room, 500), memberOf(room, 999)]
    Object.assign(one, { HandUps: 1 })
    Object.assign(two, { UserName: 'before', PresentTime: 60, SubGroupId: ['x'] })
    Object.assign(three, { LastQuitTimestamp: 1_700_000_000, New: 'thing' })
    room.figures = { ...room.figures, MessageCount: 5 }
    await archive.archive(room.roomId)
    await sql`truncate archive.history`.execute(archive.db)
    const revision = (await roomOf(room)).revision

    Object.assign(one, { HandUps: 99 })
    Object.assign(two, { UserName: 'after', PresentTime: 61, SubGroupId: ['x', 'y'] })
    Object.assign(three, { LastQuitTimestamp: 0, New: 'other' })
    room.figures = { ...room.figures, MessageCount: 77 }
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', updated: 3 })
    await expectTruth(archive.db, room)
    const row = await roomOf(room)
    expect(row.revision).toBe(revision + 1)
    const kept = { room_id: room.roomId, revision, replaced_at: row.changed_at }
    expect(await historyOf(room)).toEqual([
      { ...kept, user_id: '', old: { message_count: 5 } },
      ...byUser([
        { user_id: one.UserId, old: { hand_ups: 1 } },
        { user_id: two.UserId, old: { user_name: 'before', present_seconds: 60, sub_group_ids: ['x'] } },
        { user_id: three.UserId, old: { last_quit_at: '2023-11-14T22:13:20+00:00', extra: { New: 'thing' } } },
      ]).map((old) => ({ ...kept, ...old })),
    ])
  })

  test('re-reads that change nothing keep nothing: neither an equal one, nor one in another order, nor a new member', async () => {
    const room = await archivedRoom(1100)
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'unchanged' })
    room.members.reverse()
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', updated: 0 })
    expect(await historyOf(room)).toEqual([])
    expect((await roomOf(room)).revision).toBe(1)
    // A new member replaces no record; the room counts one more than before.
    const { total, member_number, peak_member_number } = await roomOf(room)
    room.members.push({ UserId: 'late-comer', Role: 0 })
    expect(await archive.archive(room.roomId)).toMatchObject({ inserted: 1, updated: 0 })
    const old = { total, ...(await changed({ member_number, peak_member_number })) }
    expect(await historyOf(room)).toMatchObject([{ revision: 1, user_id: '', old }])

    async function changed(figures: Record<string, number | null>) {
      const row: Record<string, unknown> = { ...(await roomOf(room)) }
      return Object.fromEntries(Object.entries(figures).filter(([name, value]) => row[name] !== value))
    }
  })

  test('figures that change without a member are a revision of their own', async () => {
    const room = await archivedRoom(3)
    const { peak_member_number, real_end_at } = await roomOf(room)
    room.figures = { ...room.figures, PeakMemberNumber: 42, RealEndTime: 1_700_000_000 }
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', updated: 0 })
    expect(await roomOf(room)).toMatchObject({ revision: 2, peak_member_number: 42 })
    const realEnd = `${real_end_at?.toISOString().slice(0, 19)}+00:00`
    expect(await historyOf(room)).toMatchObject([
      { revision: 1, user_id: '', old: { peak_member_number, real_end_at: realEnd } },
    ])
  })

  test('a member who is removed and comes back leaves when it was removed, and the values it had before', async () => {
    const room = await archivedRoom(5)
    const lost = memberOf(room, 4)
    Object.assign(lost, { HandUps: 3 })
    await archive.archive(room.roomId)
    await sql`delete from archive.history where room_id = ${room.roomId}`.execute(archive.db)
    room.members = room.members.filter((member) => member !== lost)
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'shrunk' })
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', removed: 1 })
    // The removed member's row keeps its values itself.
    expect((await historyOf(room)).filter(({ user_id }) => user_id !== '')).toEqual([])
    const removedAt = (await membersOf(room)).find(({ user_id }) => user_id === lost.UserId)?.removed_at
    expect(removedAt).toBeInstanceOf(Date)

    const { revision } = await roomOf(room)
    room.members = [...room.members, { ...lost, HandUps: 4 }]
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', updated: 1 })
    const history = (await historyOf(room)).filter(({ user_id }) => user_id !== '')
    expect(history).toMatchObject([{ revision, user_id: lost.UserId, old: { hand_ups: 3 } }])
    const [old] = history.map((row) => Object.entries(row.old))
    expect(old?.map(([name]) => name).toSorted()).toEqual(['hand_ups', 'removed_at'])
    expect(new Date(String(history[0]?.old.removed_at))).toEqual(removedAt)
    await expectTruth(archive.db, room)
  })

  test('replays keep the history, and make it anew where it was emptied, without errors and without doubles', async () => {
    const room = await archivedRoom(40)
    const changing = memberOf(room, 7)
    const leaving = memberOf(room, 8)
    for (const hands of [1, 2, 3]) {
      changing.HandUps = 100 + hands
      room.figures = { ...room.figures, MicCount: hands }
      await archive.archive(room.roomId)
    }
    const without = room.members.filter((member) => member !== leaving)
    room.members = without
    await archive.archive(room.roomId)
    await archive.archive(room.roomId)
    room.members = [...without, leaving]
    await archive.archive(room.roomId)

    const state = async () => ({
      history: await historyOf(room),
      room: await roomOf(room),
      members: await membersOf(room),
    })
    const before = await state()
    expect(before.history.filter(({ user_id }) => user_id === changing.UserId)).toHaveLength(3)
    expect(before.history.filter(({ user_id }) => user_id === leaving.UserId)).toHaveLength(1)
    expect(before.history.map(({ revision }) => revision)).toEqual([1, 1, 2, 2, 3, 3, 4, 5, 5])
    const members = sql`delete from archive.member_records where room_id = ${room.roomId}`
    const rooms = sql`delete from archive.rooms where room_id = ${room.roomId}`
    const history = sql`delete from archive.history where room_id = ${room.roomId}`
    for (const lost of [[], [members, rooms], [rooms], [members, rooms, history]]) {
      for (const statement of lost) await statement.execute(archive.db)
      await replayRoom(archive.db, room.roomId)
      expect(await state()).toEqual(before)
    }
  })
})
