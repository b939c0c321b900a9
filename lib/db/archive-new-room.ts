import { type Kysely, type RawBuilder, sql } from 'kysely'
import pg from 'pg'
import { type RunResult, runFinished } from './finish-run'
import { contentValues, type PageToLand } from './land-page'
import { valueColumns } from './landed-records'
import { type MemberColumns, recordsFrom } from './member-columns'
import { type Completion, jobCompleted } from './settle-job'
import type { Database } from './tables'
import type { RoomFacts } from './upsert-room'

export interface NewRoom {
  readonly room: RoomFacts
  /** Records that are not in the pages because their members were erased. */
  readonly leftOut: number
  readonly run: Omit<RunResult, 'inserted' | 'landed'>
  readonly completion: Completion
  /** Number of the newest erasure that all pages were redacted by. */
  readonly erasuresSeen: bigint
  /** The records of all pages. */
  readonly members: readonly MemberColumns[]
  /** The room's only page, to be landed with it; absent: all pages are landed. */
  readonly onlyPage?: PageToLand | undefined
}

/**
 * Archives a room of which the archive has nothing: members, room, run and job, and the page, if there is only one, in one
 * statement, which commits by itself. That saves most rooms eight round trips, and comparing their members with none. It
 * is for snapshots in perfect order: where a record names no user, a user is listed twice, or there are more or fewer records
 * than LCIC announced, a constraint or a condition fails, and nothing is written.
 *
 * Like `landPage` it locks raw_pages, as it writes to them, before it looks which erasure is the newest: `erase-member`
 * waits for it, or it does nothing.
 *
 * @returns false, and nothing is done, if the snapshot, or the lease, has to be looked at more closely
 */
export async function archiveNewRoom(db: Kysely<Database>, newRoom: NewRoom): Promise<boolean> {
  const { room, leftOut, run, completion, erasuresSeen, members, onlyPage } = newRoom
  const { roomId } = room
  const { attempt, now, contentHash } = run
  // To ask for what was written, too, has the members written before the room, whose trigger looks at them.
  const isWhole = sql<boolean>`(select is_due and written = records from landed, inserted)`
  const landed = onlyPage && { pages: 1, records: onlyPage.recordCount }
  const finished = { ...run, ...(landed && { landed }), inserted: sql<number>`(select written from inserted)` }
  try {
    const { rows } = await sql<{ isWhole: boolean }>`
      with lease as materialized (
        select room_id, sdk_app_id from archive.jobs
        where room_id = ${roomId} and leased_by = ${completion.lease.holder}
          and not exists (select from archive.erasures where erasure_id > ${erasuresSeen})
        for update
      ), ${onlyPage ? landing(newRoom, onlyPage) : landedBefore(newRoom)}, members as (
        insert into archive.member_records (room_id, user_id, ${valueColumns}, archived_at, changed_at)
        select ${roomId}::bigint, user_id, ${valueColumns}, ${now}::timestamptz, ${now}::timestamptz
        from (${recordsFrom(members)}) as records
        where (select is_due from landed)
        returning 1
      ), inserted as materialized (
        select count(*)::int as written from members
      ), room as (
        insert into archive.rooms (
          room_id, total, peak_member_number, member_number, real_start_at, real_end_at, message_count, mic_count, extra,
          revision, attempt, content_hash, archived_at, changed_at, sdk_app_id, name, teacher_id, room_type,
          scheduled_start_at, scheduled_end_at, erased)
        select lease.room_id, ${room.total}::int, ${room.peakMemberNumber}::int, ${room.memberNumber}::int,
          to_timestamp(${room.realStartTime}::float8), to_timestamp(${room.realEndTime}::float8),
          ${room.messageCount}::int, ${room.micCount}::int, ${JSON.stringify(room.extra)}::jsonb,
          1, ${attempt}::int, ${contentHash}, ${now}::timestamptz, ${now}::timestamptz,
          coalesce(k.sdk_app_id, lease.sdk_app_id), k.name, k.teacher_id, k.room_type, k.scheduled_start_at,
          k.scheduled_end_at, ${leftOut}::int
        from lease
        left join archive.known_rooms k on k.room_id = lease.room_id
        where ${isWhole}
      ), run as (${runFinished(finished, isWhole)}),
      job as (${jobCompleted(completion, isWhole)})
      -- Whoever has written members, and not as many as the pages hold, divides by nothing: all of it is undone.
      select case when is_due then 1 / (written = records)::int = 1 else false end as "isWhole"
      from landed, inserted`.execute(db)
    return rows[0]?.isWhole ?? false
  } catch (error) {
    if (error instanceof pg.DatabaseError && /^(23|22012)/.test(error.code ?? '')) return false
    throw error
  }
}

/** How many records are landed, and whether they are what was announced. */
function landedBefore({ room, leftOut, run: { attempt } }: NewRoom): RawBuilder<unknown> {
  return sql`locking as (
        update archive.raw_pages set page = page where false
      ), landed as materialized (
        select coalesce(sum(record_count), 0)::int as records,
          coalesce(sum(erased), 0) = ${leftOut} and coalesce(sum(record_count), 0) = ${room.total - leftOut}
            and exists (select from lease) as is_due
        from archive.raw_pages where room_id = ${room.roomId} and attempt = ${attempt}
      )`
}

/** The same of a page that is landed just now. */
function landing({ room, leftOut, run: { attempt, now } }: NewRoom, page: PageToLand): RawBuilder<unknown> {
  const { body, records } = contentValues(page)
  return sql`landing as (
        insert into archive.raw_pages (
          room_id, attempt, page, request_id, body, records, figures, record_count, erased, content_hash, fetched_at)
        select room_id, ${attempt}::int, ${page.page}::int, ${page.requestId}, ${body}::json, ${records}::json,
          ${JSON.stringify(page.figures)}::jsonb, ${page.recordCount}::int, ${leftOut}::int, ${page.contentHash},
          ${now}::timestamptz
        from lease
        where ${page.recordCount}::int = ${room.total - leftOut}::int
        returning 1
      ), landed as materialized (
        select ${page.recordCount}::int as records, exists (select from landing) as is_due
      )`
}
