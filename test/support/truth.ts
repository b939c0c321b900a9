import { isDeepStrictEqual } from 'node:util'
import type { Kysely } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../lib/db/tables'
import type { SimulatedRoom } from '../../lib/simulator'
import { archivedMembers, expectedMember } from './member-rows'

/** Every column of the room and of each of its members is what the simulator holds; and nothing else is there. */
export async function expectTruth(db: Kysely<Database>, room: SimulatedRoom): Promise<void> {
  const members = await archivedMembers(db, room.roomId)
  expect(members.size).toBe(room.members.length)
  for (const record of room.members) {
    const [found, expected] = [members.get(record.UserId), expectedMember(record)]
    // The test runner's comparison is slow, and a hundred thousand members are many.
    if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected)
  }

  const rows = await db.selectFrom('archive.rooms').selectAll().where('room_id', '=', room.roomId).execute()
  const figure = (name: 'RealStartTime' | 'RealEndTime', own: number | null) => {
    const seconds = room.figures[name] === undefined ? own : room.figures[name]
    return seconds ? new Date(seconds * 1000) : null
  }
  expect(rows).toHaveLength(1)
  expect(rows[0]).toMatchObject({
    peak_member_number: room.figures.PeakMemberNumber,
    member_number: room.figures.MemberNumber,
    message_count: room.figures.MessageCount,
    mic_count: room.figures.MicCount,
    real_start_at: figure('RealStartTime', room.realStartAt),
    real_end_at: figure('RealEndTime', room.realEndAt),
    total: room.members.length,
  })
}
