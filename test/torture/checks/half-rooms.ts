import { type Kysely, sql } from 'kysely'
import type { Database } from '../../../lib/db/tables'
import type { Violation } from './violation'

/**
 * Rooms of which a reader sees a part, in one snapshot: not as many members as the room says, or a job that says it is
 * archived without a room, or the other way round. May be asked at any moment.
 */
export async function findHalfRooms(db: Kysely<Database>): Promise<Violation[]> {
  const { rows } = await sql<{ room_id: bigint; state: string | null; expected: number | null; members: number }>`
    select coalesce(r.room_id, m.room_id, j.room_id) as room_id, j.state,
      r.total - r.erased as expected, coalesce(m.members, 0)::int as members
    from archive.rooms r
    full join (
      select room_id, count(*) as members from archive.member_records where removed_at is null group by room_id
    ) m using (room_id)
    full join archive.jobs j using (room_id)
    where coalesce(m.members, 0) is distinct from coalesce(r.total - r.erased, 0)
      or coalesce(j.state, 'no job') = 'archived' and r.room_id is null
      or r.room_id is not null and coalesce(j.state, 'no job') <> 'archived'`.execute(db)
  return rows.map(({ room_id: roomId, state, expected, members }) => ({
    check: 'half room',
    roomId,
    what: `its job is ${state ?? 'not there'}, it ${expected === null ? 'is not there' : `announces ${expected}`}, and has ${members} members`,
  }))
}
