import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Instant, later } from './instant'
import type { RoomRange } from './room-ranges'
import type { Database } from './tables'

/** What was deleted, or would be, of the rooms of a range. */
export interface PrunedRooms {
  readonly rooms: number
  readonly pages: number
  /** Rows of member_records. */
  readonly members: number
}

interface Pruning {
  readonly range: RoomRange
  readonly keepMs: number
  readonly now: Instant
  /** Only count. */
  readonly plan: boolean
}

/** Whether the members of a job's room were kept long enough, and are there. */
function hasOldMembers(keepMs: number, now: Instant) {
  return sql`exists (
      select from archive.rooms r
      where r.room_id = j.room_id and r.members_pruned_at is null
        and coalesce(r.real_end_at, r.scheduled_end_at, r.archived_at) < ${later(now, -keepMs)})`
}

/**
 * Deletes the raw pages of rooms that are settled (archived or given up, and not to be read again by themselves), all of
 * which were fetched longer ago than they are kept.
 *
 * @param keepMembersMs pages of rooms whose members are not kept any longer go with those
 */
export async function prunePages(
  db: Kysely<Database>,
  { range, keepMs, now, plan, keepMembersMs }: Pruning & { readonly keepMembersMs: number | undefined },
): Promise<PrunedRooms> {
  const since = later(now, -keepMs)
  const isOld = sql`
    exists (select from archive.raw_pages p where p.room_id = j.room_id)
    and not exists (select from archive.raw_pages p where p.room_id = j.room_id and p.fetched_at >= ${since})
    ${keepMembersMs === undefined ? sql`` : sql`and not ${hasOldMembers(keepMembersMs, now)}`}`
  return pruned(
    db,
    { settled: settledRooms(isOld, { range, now, plan }), plan },
    sql`
    pages as (${deleted('raw_pages', plan)}),
    marked as (${
      plan
        ? sql`select`
        : sql`update archive.rooms set pages_pruned_at = ${now} where room_id in (select room_id from settled)`
    })
    select (select count(*) from settled)::int as rooms, (select count(*) from pages)::int as pages, 0 as members`,
  )
}

/**
 * Deletes members, what they were before, and raw pages of settled rooms that ended longer ago than members are kept. The
 * room's own row stays, and says since when.
 */
export async function pruneMembers(db: Kysely<Database>, { range, keepMs, now, plan }: Pruning): Promise<PrunedRooms> {
  const isOld = hasOldMembers(keepMs, now)
  return pruned(
    db,
    { settled: settledRooms(isOld, { range, now, plan }), plan },
    sql`
    pages as (${deleted('raw_pages', plan)}),
    members as (${deleted('member_records', plan)}),
    former as (${deleted('history', plan)}),
    marked as (${
      plan
        ? sql`select`
        : sql`
      update archive.rooms
      set members_pruned_at = ${now}, pages_pruned_at = coalesce(pages_pruned_at, ${now}), revision = revision + 1,
        changed_at = ${now}
      where room_id in (select room_id from settled)`
    })
    select (select count(*) from settled)::int as rooms, (select count(*) from pages)::int as pages,
      (select count(*) from members)::int as members`,
  )
}

/** Those that nobody works on; they are locked for whoever would. */
function settledRooms(isOld: RawBuilder<unknown>, { range, now, plan }: Omit<Pruning, 'keepMs'>) {
  return sql`
    select j.room_id from archive.jobs j
    where j.room_id > ${range.after} and j.room_id <= ${range.upTo} and j.state <> 'pending' and j.due_at is null
      and (j.leased_by is null or j.lease_until <= ${now}) and ${isOld}
    order by j.room_id
    ${plan ? sql`` : sql`for update skip locked`}`
}

function deleted(table: string, plan: boolean) {
  const ofSettled = sql`from ${sql.id('archive', table)} where room_id in (select room_id from settled)`
  return plan ? sql`select 1 ${ofSettled}` : sql`delete ${ofSettled} returning 1`
}

/**
 * Deletes by another statement than that which locks the rooms: it sees what was written until they were locked.
 *
 * @param rest of a statement that begins with the common table expression `settled`
 */
async function pruned(
  db: Kysely<Database>,
  { settled, plan }: { settled: RawBuilder<unknown>; plan: boolean },
  rest: RawBuilder<unknown>,
): Promise<PrunedRooms> {
  const prune = async (tx: Kysely<Database>, rooms: RawBuilder<unknown>) => {
    const { rows } = await sql<PrunedRooms>`with settled as materialized (${rooms}), ${rest}`.execute(tx)
    return rows[0] ?? { rooms: 0, pages: 0, members: 0 }
  }
  if (plan) return prune(db, settled)
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ room_id: bigint }>`${settled}`.execute(tx)
    return prune(tx, sql`select unnest(${rows.map((row) => String(row.room_id))}::bigint[]) as room_id`)
  })
}
