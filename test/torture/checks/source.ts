import { isDeepStrictEqual } from 'node:util'
import type { Kysely } from 'kysely'
import type { Database } from '../../../lib/db/tables'
import type { School, SimulatedRoom } from '../../../lib/simulator'
import { archivedMembers, expectedMember } from '../../support/member-rows'
import type { Violation } from './violation'

/** Rooms of the school that are not archived as they should be, in any column, or are and should not be. */
export async function findDifferences(db: Kysely<Database>, school: School): Promise<Violation[]> {
  const found: Violation[] = []
  for (const room of school.rooms.values()) found.push(...(await differencesOf(db, room)))
  const rows = await db.selectFrom('archive.rooms').select('room_id').execute()
  for (const { room_id: roomId } of rows) {
    if (!school.rooms.has(roomId))
      found.push({ check: 'differs from the source', roomId, what: 'LCIC knows no such room' })
  }
  return found
}

async function differencesOf(db: Kysely<Database>, room: SimulatedRoom): Promise<Violation[]> {
  const { roomId } = room
  const row = await db.selectFrom('archive.rooms').selectAll().where('room_id', '=', roomId).executeTakeFirst()
  if (room.fate !== 'held') {
    return row ? [{ check: 'differs from the source', roomId, what: `it is ${room.fate}, and yet archived` }] : []
  }
  if (!row)
    return [{ check: 'lost', roomId, what: `it has ended, and its ${room.members.length} members are not archived` }]
  const wrong = wrongColumns(row, expectedRoom(room))
  const members = await archivedMembers(db, roomId)
  for (const record of room.members) {
    const member = members.get(record.UserId)
    members.delete(record.UserId)
    if (!member) wrong.push('a member is missing')
    else wrong.push(...wrongColumns(member, expectedMember(record)))
  }
  if (members.size > 0) wrong.push(`${members.size} members are not the source's`)
  const what = [...new Set(wrong)].join(', ')
  return wrong.length > 0
    ? [{ check: 'differs from the source', roomId, what: `${wrong.length} differences: ${what}` }]
    : []
}

function expectedRoom({ figures, members, realStartAt, realEndAt }: SimulatedRoom) {
  const moment = (seconds: number | null) => (seconds === null ? null : new Date(Math.floor(seconds) * 1000))
  return {
    total: members.length,
    peak_member_number: figures.PeakMemberNumber,
    member_number: figures.MemberNumber,
    message_count: figures.MessageCount,
    mic_count: figures.MicCount,
    real_start_at: moment(realStartAt),
    real_end_at: moment(realEndAt),
  }
}

/** Names of columns, and not what is in them. */
function wrongColumns(found: object, expected: object): string[] {
  return Object.entries(expected).flatMap(([column, value]) =>
    isDeepStrictEqual(Reflect.get(found, column), value) ? [] : [`column ${column}`],
  )
}
