import { type Kysely, type RawBuilder, sql } from 'kysely'
import pg from 'pg'
import { type RunResult, runFinished } from './finish-run'
import { contentValues, type PageToLand } from './land-page'
import { recordsIn, recordsJson, recordsOf, valueColumns } from './landed-records'
import { type Completion, jobCompleted } from './settle-job'
import type { Database } from './tables'
import type { RoomFacts } from './upsert-room'

/** A page that is not landed yet. */
export interface UnlandedPage {
  readonly page: PageToLand
  /** As for `landPage`. */
  readonly erasuresSeen: bigint
}

export interface NewRoom {
  readonly room: RoomFacts
  /** Records that are not in the pages because their members were erased. */
  readonly leftOut: number
  readonly run: Omit<RunResult, 'inserted' | 'landed'>
  readonly completion: Completion
  /** The room's only page, to be landed with it; absent: all pages are landed. */
  readonly onlyPage?: UnlandedPage | undefined
}

/**
 * Archives a room of which the archive has nothing: members, room, run and job, and the page, if there is only one, in one
 * statement, which commits by itself. That saves most rooms eight round trips, and comparing their members with none. It
 * is for snapshots in perfect order: where a record names no user, a user is listed twice, or there are more or fewer records
 * than LCIC announced, a constraint or a condition fails, and nothing is written.
 *
 * @returns false, and nothing is done, if the snapshot, or the lease, has to be looked at more closely
 */
export async function archiveNewRoom(db: Kysely<Database>, newRoom: NewRoom): Promise<boolean> {
  const { room, leftOut, run, completion, onlyPage } = newRoom
  const { roomId } = room
  const { attempt, now, contentHash } = run
  const { steps, records } = onlyPage ? fromPage(newRoom, onlyPage) : fromLanded(newRoom)
  // To ask for what was written, too, has the members written before the room, whose trigger looks at them.
  const isWhole = sql<boolean>`(select is_due and written = records from landed, inserted)`
  const landed = onlyPage && { pages: 1, records: onlyPage.page.recordCount }
  const finished = { ...run, ...(landed && { landed }), inserted: sql<number>`(select written from inserted)` }
  try {
    const { rows } = await sql<{ isWhole: boolean }>`
      with lease as materialized (
        select room_id, sdk_app_id from archive.jobs
        where room_id = ${roomId} and leased_by = ${completion.lease.holder}
        for update
      ), ${steps}, members as (
        insert into archive.member_records (room_id, user_id, ${valueColumns}, archived_at, changed_at)
        select ${roomId}::bigint, user_id, ${valueColumns}, ${now}::timestamptz, ${now}::timestamptz
        from (${records}) as records
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

/** Where the records come from: `landed` says how many there are, and whether they are what was announced. */
interface Source {
  readonly steps: RawBuilder<unknown>
  readonly records: RawBuilder<unknown>
}

function fromLanded({ room, leftOut, run: { attempt } }: NewRoom): Source {
  return {
    steps: sql`landed as materialized (
        select coalesce(sum(record_count), 0)::int as records,
          coalesce(sum(erased), 0) = ${leftOut} and coalesce(sum(record_count), 0) = ${room.total - leftOut}
            and exists (select from lease) as is_due
        from archive.raw_pages where room_id = ${room.roomId} and attempt = ${attempt}
      )`,
    records: recordsOf(room.roomId, attempt),
  }
}

function fromPage({ room, leftOut, run: { attempt, now } }: NewRoom, { page, erasuresSeen }: UnlandedPage): Source {
  const { body, records } = contentValues(page)
  return {
    steps: sql`given as materialized (
        select ${body}::json as body, ${records}::json as records
      ), landing as (
        insert into archive.raw_pages (
          room_id, attempt, page, request_id, body, records, figures, record_count, erased, content_hash, fetched_at)
        select lease.room_id, ${attempt}::int, ${page.page}::int, ${page.requestId}, given.body, given.records,
          ${JSON.stringify(page.figures)}::jsonb, ${page.recordCount}::int, ${leftOut}::int, ${page.contentHash},
          ${now}::timestamptz
        from lease
        cross join given
        where ${page.recordCount}::int = ${room.total - leftOut}::int
          and not exists (select from archive.erasures where erasure_id > ${erasuresSeen})
        returning 1
      ), landed as materialized (
        select ${page.recordCount}::int as records, exists (select from landing) as is_due
      )`,
    records: recordsIn(
      sql`select ${page.page}::int as page, ${recordsJson(sql`body`, sql`records`)} as records from given`,
    ),
  }
}
