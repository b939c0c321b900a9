import { type Kysely, sql } from 'kysely'
import type { Instant } from './instant'
import { earliestHinted } from './settle-job'
import type { Database, HintSource } from './tables'

/** When, after its end, LCIC may delete what it knows of a room. Source: its data processing terms. */
export const keptFor = sql`interval '180 days'`

/** Something that names a room. It makes a job due; what is archived never comes from it. */
export interface RoomHint {
  readonly roomId: bigint
  readonly sdkAppId?: bigint | null
  /** When the class really ended, where the hint's source knows. */
  readonly endedAt?: Date | null
  /** When the class is, or was, planned to end: its data are kept from then on, while the real end is not known. */
  readonly plannedEndAt?: Date | null
  /** Not to be asked for before then; now, if absent. */
  readonly notBefore?: Date | null
}

/**
 * Makes sure that each room has a job, and that it is due. Hints may come twice, a thousand times, in any order: the
 * outcome is the same, and no room is asked for more than once a minute because of them.
 *
 * A room that is waiting is due at once; one that was given up, is missing or expired gets another chance; one that is
 * archived stays as it is, unless `reread` asks for it to be read once more.
 *
 * @returns how many rooms got a job they did not have
 */
export async function hintRooms(
  db: Kysely<Database>,
  {
    hints,
    hintedBy,
    now,
    reread = false,
  }: { hints: readonly RoomHint[]; hintedBy: HintSource; now: Instant; reread?: boolean },
): Promise<number> {
  const rooms = hints.map((hint) => ({
    room_id: String(hint.roomId),
    sdk_app_id: hint.sdkAppId ? String(hint.sdkAppId) : null,
    ended_at: hint.endedAt ?? null,
    planned_end_at: hint.plannedEndAt ?? null,
    not_before: hint.notBefore ?? null,
  }))
  // A room that is named twice in one call is wanted as soon as the most impatient says.
  const notBefore = sql`case when bool_and(not_before is not null) then min(not_before) end`
  const settled = sql`j.state in ('failed', 'missing', 'expired')`
  const soon = sql`greatest(excluded.due_at, ${earliestHinted(sql`coalesce(j.last_attempt_at, '-infinity')`, now)})`
  const { rows } = await sql<{ created: boolean }>`
    insert into archive.jobs as j (
      room_id, sdk_app_id, due_at, waits, deadline_at, hinted_by, ended_at, created_at, updated_at)
    select room_id, max(sdk_app_id), greatest(${now}::timestamptz, ${notBefore}), coalesce(${notBefore} > ${now}, false),
      coalesce(max(ended_at), min(planned_end_at), ${now}::timestamptz) + ${keptFor}, ${hintedBy}, max(ended_at), ${now}, ${now}
    from jsonb_to_recordset(${JSON.stringify(rooms)}::jsonb) as hint (
      room_id bigint, sdk_app_id bigint, ended_at timestamptz, planned_end_at timestamptz, not_before timestamptz)
    group by room_id
    order by room_id
    on conflict (room_id) do update set
      state = case when ${settled} then 'pending' else j.state end,
      due_at = case
        when ${settled} then ${soon}
        when ${reread} and j.state = 'archived' and j.leased_by is not null then ${soon}
        when j.state = 'pending' or ${reread} then least(j.due_at, ${soon})
        else j.due_at end,
      hinted_at = case when j.leased_by is not null then greatest(${now}, j.last_attempt_at) else j.hinted_at end,
      failing_since = case when ${settled} then null else j.failing_since end,
      reason_since = case when ${settled} then null else j.reason_since end,
      sdk_app_id = coalesce(j.sdk_app_id, excluded.sdk_app_id),
      ended_at = coalesce(j.ended_at, excluded.ended_at),
      deadline_at = case
        when j.ended_at is not null then j.deadline_at
        when excluded.ended_at is not null then excluded.deadline_at
        else least(j.deadline_at, excluded.deadline_at) end,
      updated_at = ${now}
    where ${settled}
      or (j.state = 'pending' or ${reread})
        and (j.due_at is null or j.due_at > ${soon})
      or j.leased_by is not null and (j.hinted_at is null or j.hinted_at < j.last_attempt_at)
      or j.sdk_app_id is null and excluded.sdk_app_id is not null
      or j.ended_at is null and (excluded.ended_at is not null or excluded.deadline_at < j.deadline_at)
    returning xmax = 0 as created`.execute(db)
  return rows.filter(({ created }) => created).length
}
