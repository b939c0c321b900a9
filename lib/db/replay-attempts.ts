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

/** Rooms that were ever archived, by id, but those whose raw pages were kept long enough. */
export async function archivedRoomIds(db: Kysely<Database>): Promise<bigint[]> {
  const { rows } = await sql<{ room_id: bigint }>`
    select distinct room_id from archive.runs
    where outcome = 'archived' and room_id not in (
      select room_id from archive.rooms where pages_pruned_at is not null)
    order by room_id`.execute(db)
  return rows.map((row) => row.room_id)
}

/** Why a room cannot be replayed although it is archived: its pages, or its members as well, were kept long enough. */
export async function prunedFrom(db: Kysely<Database>, roomId: bigint): Promise<'pages' | 'members' | undefined> {
  const { rows } = await sql<{ members: boolean; pages: boolean }>`
    select members_pruned_at is not null as members, pages_pruned_at is not null as pages
    from archive.rooms where room_id = ${roomId}`.execute(db)
  return rows[0]?.members ? 'members' : rows[0]?.pages ? 'pages' : undefined
}

/** How many archived rooms cannot be replayed any more. */
export async function countPrunedRooms(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ rooms: number }>`
    select count(*)::int as rooms from archive.rooms where pages_pruned_at is not null`.execute(db)
  return rows[0]?.rooms ?? 0
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

/** The pages of an attempt, one after the other, each with the text it stands for, and the attempt that has it. */
export async function* storedPages(
  db: Kysely<Database>,
  { roomId, attempt }: { roomId: bigint; attempt: number },
): AsyncGenerator<{ base: number; page: number; body: string }> {
  for (let page = 0; ; ) {
    const { rows } = await sql<{ base: number; page: number; body: string }>`
      select b.attempt as base, p.page, b.body::text as body
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
