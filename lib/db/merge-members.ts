import { type Kysely, sql } from 'kysely'
import { changedColumns } from './changed-columns'
import type { Instant } from './instant'
import { recordsOf, valueColumns } from './landed-records'
import type { Database } from './tables'

export interface MergeOptions {
  readonly roomId: bigint
  readonly attempt: number
  /** What LCIC announced; the merge happens only if exactly so many records are there, or were left out as erased. */
  readonly total: number
  readonly now: Instant
  /** Take the best record of a user that is listed more than once; otherwise such a snapshot is not merged. */
  readonly keepOneOfDuplicates: boolean
  /** Mark members as removed that are not in the snapshot; otherwise a snapshot that lacks any is not merged. */
  readonly allowRemovals: boolean
}

/** What the snapshot looks like beside the archive, and what was written. */
export interface MergeResult {
  /** False: nothing was written, for one of the reasons that the counts below show. */
  readonly merged: boolean
  readonly records: number
  /** Different users among them. */
  readonly users: number
  /** Records left out of the pages because their members were erased. */
  readonly erased: number
  /** Records without a user id. */
  readonly nameless: number
  /** Members of the archive that the snapshot lacks. */
  readonly absent: number
  readonly inserted: number
  readonly updated: number
  readonly removed: number
}

/**
 * Merges the landed pages of an attempt into `member_records`: one statement, in which PostgreSQL reads the JSON as it
 * landed, checks that it is whole, and writes the rows that differ, and only those; the values they replace go to the history.
 *
 * Snapshot and archive are compared before any row is touched: an `on conflict … where` would lock, and so write, each
 * unchanged one. They meet in a full join because that is always hashed: whatever PostgreSQL believes of the size of
 * this room, a nested loop over a hundred thousand members is no choice it has. New members go in by a plain insert,
 * which saves each a search of the index and a WAL record: while the room's job is locked nobody else writes its
 * members. Of a user listed more than once it keeps the record with the longest presence, then the latest quit, then the
 * first in page order.
 */
export async function mergeMembers(db: Kysely<Database>, options: MergeOptions): Promise<MergeResult> {
  const { roomId, attempt, total, now, keepOneOfDuplicates, allowRemovals } = options
  const write = sql`
      insert into archive.member_records (room_id, user_id, ${valueColumns}, archived_at, changed_at)
      select ${roomId}::bigint, user_id, ${valueColumns}, ${now}::timestamptz, ${now}::timestamptz
      from differing
      where (select merged from verdict)`
  const { rows } = await sql<MergeResult>`
    with listed as materialized (${recordsOf(roomId, attempt)}),
    source as (${
      keepOneOfDuplicates
        ? sql`
            select distinct on (user_id) * from listed
            order by user_id, present_seconds desc nulls last, last_quit_at desc nulls last, page, position`
        : sql`select * from listed`
    }),
    differing as materialized (
      select s.*, a.user_id as archived_id, a.removed_at, a as old
      from source s
      full join (select * from archive.member_records where room_id = ${roomId} offset 0) as a on a.user_id = s.user_id
      where a.user_id is null or s.user_id is null or a.removed_at is not null
        or (a.user_name, a.present_seconds, a.camera, a.mic, a.silence, a.answer_questions, a.hand_ups,
            a.first_join_at, a.last_quit_at, a.rewards, a.ip_address, a.location, a.device, a.mic_count,
            a.message_count, a.role, a.group_id, a.sub_group_ids, a.stage, a.current_state, a.extra)
          is distinct from
           (s.user_name, s.present_seconds, s.camera, s.mic, s.silence, s.answer_questions, s.hand_ups,
            s.first_join_at, s.last_quit_at, s.rewards, s.ip_address, s.location, s.device, s.mic_count,
            s.message_count, s.role, s.group_id, s.sub_group_ids, s.stage, s.current_state, s.extra)
    ),
    counts as (
      select
        count(*)::int as records,
        (select coalesce(sum(erased), 0)::int from archive.raw_pages
          where room_id = ${roomId} and attempt = ${attempt}) as erased,
        count(*) filter (where coalesce(user_id, '') = '')::int as nameless,
        (select count(*) from (select from listed group by user_id) as grouped)::int as users
      from listed
    ),
    changes as (
      select
        count(*) filter (where user_id is not null and archived_id is null)::int as inserted,
        count(*) filter (where user_id is not null and archived_id is not null)::int as updated,
        count(*) filter (where user_id is null and archived_id is not null and removed_at is null)::int as absent
      from differing
    ),
    verdict as materialized (
      select *,
        records + erased = ${total} and nameless = 0
        and (users = records or ${keepOneOfDuplicates})
        and (absent = 0 or ${allowRemovals}) as merged
      from counts, changes
    ),
    inserted as (
      ${write} and archived_id is null
    ),
    updated as (
      ${write} and archived_id is not null and user_id is not null
      on conflict (room_id, user_id) do update set
        user_name = excluded.user_name, present_seconds = excluded.present_seconds, camera = excluded.camera,
        mic = excluded.mic, silence = excluded.silence, answer_questions = excluded.answer_questions,
        hand_ups = excluded.hand_ups, first_join_at = excluded.first_join_at, last_quit_at = excluded.last_quit_at,
        rewards = excluded.rewards, ip_address = excluded.ip_address, location = excluded.location,
        device = excluded.device, mic_count = excluded.mic_count, message_count = excluded.message_count,
        role = excluded.role, group_id = excluded.group_id, sub_group_ids = excluded.sub_group_ids,
        stage = excluded.stage, current_state = excluded.current_state, extra = excluded.extra,
        changed_at = excluded.changed_at, removed_at = null
    ),
    kept as (
      insert into archive.history (room_id, revision, user_id, replaced_at, old)
      select ${roomId}::bigint, r.revision, d.user_id, ${now}::timestamptz,
        ${changedColumns(sql`to_jsonb(d.old)`, sql`to_jsonb(d) - 'removed_at'`)}
          || case when d.removed_at is null then '{}' else jsonb_build_object('removed_at', d.removed_at) end
      from differing d
      cross join (select revision from archive.rooms where room_id = ${roomId}) as r
      where (select merged from verdict) and d.archived_id is not null and d.user_id is not null
      on conflict (room_id, revision, user_id) do nothing
    ),
    removed as (
      update archive.member_records
      set removed_at = ${now}::timestamptz, changed_at = ${now}::timestamptz
      where room_id = ${roomId} and removed_at is null and (select merged and absent > 0 from verdict)
        and user_id = any (array(select archived_id from differing where user_id is null))
    )
    select merged, records, erased, users, nameless, absent,
      case when merged then inserted else 0 end as inserted,
      case when merged then updated else 0 end as updated,
      case when merged then absent else 0 end as removed
    from verdict`.execute(db)
  const [result] = rows
  if (!result) throw new TypeError('The merge gave no verdict.')
  return result
}

export interface RecordsDigest {
  /** Equal for two reads that list the same members with the same values, in whatever order. */
  readonly fingerprint: string
  /** Records that are equal to another one in every value. */
  readonly copies: number
}

/** Looks at an attempt's records as a set. */
export async function digestRecords(
  db: Kysely<Database>,
  { roomId, attempt }: { roomId: bigint; attempt: number },
): Promise<RecordsDigest> {
  const { rows } = await sql<RecordsDigest>`
    with listed as (${recordsOf(roomId, attempt)}),
    digests as (select md5((to_jsonb(listed) - 'page' - 'position')::text) as digest from listed)
    select coalesce(md5(string_agg(digest, '' order by digest)), '') as fingerprint,
      (count(*) - count(distinct digest))::int as copies
    from digests`.execute(db)
  return rows[0] ?? { fingerprint: '', copies: 0 }
}
