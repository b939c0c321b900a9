import { type Kysely, sql } from 'kysely'
import { keptFor } from './hint-rooms'
import type { Database } from './tables'

export interface ReplayableAttempt {
  readonly attempt: number
  /** When it was archived: the replay writes the same time again. */
  readonly archivedAt: Date
  readonly contentHash: string
  readonly duplicates: number
}

/** Rooms that were ever archived, by id. */
export async function archivedRoomIds(db: Kysely<Database>): Promise<bigint[]> {
  const { rows } = await sql<{ room_id: bigint }>`
    select distinct room_id from archive.runs where outcome = 'archived' order by room_id`.execute(db)
  return rows.map((row) => row.room_id)
}

/**
 * The attempts a room is rebuilt from, in order: the one its row stands on, or, where there is no row, all that were
 * ever archived, so that revisions and removed members come back as they were. Locks the room's job, made anew if it is
 * gone, until the transaction ends, which keeps others from the same room.
 */
export async function replayableAttempts(db: Kysely<Database>, roomId: bigint): Promise<ReplayableAttempt[]> {
  await sql`
    insert into archive.jobs (room_id, state, deadline_at, hinted_by, archived_at, created_at, updated_at)
    select room_id, 'archived', min(started_at) + ${keptFor}, 'command', max(finished_at), min(started_at),
      max(finished_at)
    from archive.runs
    where room_id = ${roomId} and outcome = 'archived'
    group by room_id
    on conflict (room_id) do nothing`.execute(db)
  await sql`select from archive.jobs where room_id = ${roomId} for update`.execute(db)
  const { rows } = await sql<ReplayableAttempt>`
    select r.attempt, r.finished_at as "archivedAt", r.content_hash as "contentHash", r.duplicates
    from archive.runs r
    where r.room_id = ${roomId} and r.outcome = 'archived' and r.attempt >= coalesce((
      select a.attempt from archive.rooms a where a.room_id = ${roomId}), 0)
    order by r.attempt`.execute(db)
  return rows
}

/** The pages of an attempt, one after the other, each with the text it stands for. */
export async function* storedPages(
  db: Kysely<Database>,
  { roomId, attempt }: { roomId: bigint; attempt: number },
): AsyncGenerator<{ page: number; body: string }> {
  for (let page = 0; ; ) {
    const { rows } = await sql<{ page: number; body: string }>`
      select p.page, b.body::text as body
      from archive.raw_pages p
      join archive.raw_pages b
        on b.room_id = p.room_id and b.attempt = coalesce(p.same_as_attempt, p.attempt) and b.page = p.page
      where p.room_id = ${roomId} and p.attempt = ${attempt} and p.page > ${page}
      order by p.page
      limit 1`.execute(db)
    const [row] = rows
    if (!row) return
    page = row.page
    yield row
  }
}

/** Replaces what is loaded in place of a page's records; written only where it differs. */
export async function storeLoadableRecords(
  db: Kysely<Database>,
  {
    roomId,
    attempt,
    page,
    records,
  }: { roomId: bigint; attempt: number; page: number; records: readonly unknown[] | undefined },
): Promise<void> {
  const json = records ? JSON.stringify(records) : null
  await sql`
    update archive.raw_pages b
    set records = ${json}::json
    from archive.raw_pages p
    where p.room_id = ${roomId} and p.attempt = ${attempt} and p.page = ${page}
      and b.room_id = p.room_id and b.attempt = coalesce(p.same_as_attempt, p.attempt) and b.page = p.page
      and b.records::text is distinct from ${json}`.execute(db)
}
