import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Instant, later, msBetween } from './instant'
import type { Lease } from './leases'
import type { Database, JobState } from './tables'

/** What is known of a room that is archived now. */
export interface Completion {
  readonly lease: Lease
  readonly now: Instant
  /** Unix seconds. */
  readonly endedAt: number | null
  readonly requestId: string | undefined
  readonly rereadAfterMs: number | undefined
}

/**
 * Marks the room as archived and gives the lease back. It is due once more `rereadAfterMs` after it was first archived,
 * if that is given and still to come, or when something asked for that while it was read; else no more.
 */
export async function completeJob(db: Kysely<Database>, completion: Completion): Promise<void> {
  await jobCompleted(completion).execute(db)
}

/** The statement of {@link completeJob}, to be a part of another; nothing is done unless the condition is met. */
export function jobCompleted(
  { lease, now, endedAt, requestId, rereadAfterMs }: Completion,
  condition = sql<boolean>`true`,
): RawBuilder<unknown> {
  const firstArchivedSince = later(now, -(rereadAfterMs ?? 0))
  // The row of a room that the same statement archives is not to be seen yet.
  const firstArchivedAt = sql`
    coalesce((select archived_at from archive.rooms where room_id = ${lease.roomId}), ${now}::timestamptz)`
  return sql`
    update archive.jobs
    set state = 'archived', attempts = 0, archived_at = ${now}, updated_at = ${now},
      due_at = least((
        select first.at + (${now}::timestamptz - ${firstArchivedSince})
        from (select ${firstArchivedAt}) as first (at)
        where first.at > ${firstArchivedSince}
      ), ${rereadAskedFor}),
      ended_at = coalesce(to_timestamp(${endedAt}::float8), ended_at),
      reason = null, reason_since = null, failing_since = null,
      last_error_code = null, last_error_message = null,
      last_request_id = coalesce(${requestId ?? null}, last_request_id),
      leased_by = null, lease_until = null
    where room_id = ${lease.roomId} and leased_by = ${lease.holder} and ${condition}`
}

/** When an archived room is due because something asked for it to be read once more while it was read. */
const rereadAskedFor = sql`
  case when state = 'archived' and hinted_at >= last_attempt_at and due_at > last_attempt_at then due_at end`

/** A job that is due, and that nobody takes for so long, does not fail meanwhile: all workers were away. */
const unattended = sql`
  case when last_attempt_at - due_at > interval '1 hour' then last_attempt_at - due_at else interval '0' end`

/** What a job has gone through, for the decision what becomes of it; times in milliseconds. */
export interface JobPast {
  readonly archived: boolean
  /** Why it failed last, and for how long for that reason alone. */
  readonly reason: string | null
  readonly reasonMs: number
  /** How long it has failed, for whatever reason, {@link unattended} times left out. */
  readonly failingMs: number
  /** Until the class is planned to end; negative once that is past, null where it is not known. */
  readonly scheduledEndInMs: number | null
  /** LCIC, or something that named the room, has said that the class has ended. */
  readonly isEnded: boolean
  /** Since it ended, where the time is known. */
  readonly endedMs: number | null
  /** Something has called for the room since it was taken. */
  readonly hinted: boolean
}

/** Locks the job for the rest of the transaction. @returns `undefined` if the lease is lost */
export async function lockJob(
  db: Kysely<Database>,
  { lease, now }: { lease: Lease; now: Instant },
): Promise<JobPast | undefined> {
  const { rows } = await sql<JobPast>`
    select j.archived_at is not null as archived, j.reason,
      coalesce(${msBetween(sql`j.reason_since`, now)}, 0) as "reasonMs",
      coalesce(${msBetween(sql`(j.failing_since + ${unattended})`, now)}, 0) as "failingMs",
      ${msBetween(now, sql`k.scheduled_end_at`)} as "scheduledEndInMs",
      j.ended_at is not null or coalesce(k.status = 2, false) as "isEnded",
      ${msBetween(sql`j.ended_at`, now)} as "endedMs",
      coalesce(j.hinted_at >= j.last_attempt_at, false) as hinted
    from archive.jobs j
    left join archive.known_rooms k using (room_id)
    where j.room_id = ${lease.roomId} and j.leased_by = ${lease.holder}
    for update of j`.execute(db)
  return rows[0]
}

export interface Deferral {
  readonly lease: Lease
  readonly now: Instant
  /** The state of a room that was never archived; one that was stays archived, whatever a later read says. */
  readonly state: JobState
  /** Until it is due again; absent: not again by itself. */
  readonly dueInMs: number | undefined
  readonly costsAttempt: boolean
  /** As if it had not failed before. */
  readonly startsAnew?: boolean
  readonly reason: string
  readonly errorCode: string
  readonly errorMessage: string
  readonly requestId: string | undefined
}

/**
 * Puts the room off, says why, and gives the lease back. If something called for the room while it was worked on, it is
 * due as if that had come just now.
 *
 * @returns the job's state and due time afterwards; nothing if the lease was lost
 */
export async function deferJob(
  db: Kysely<Database>,
  {
    lease,
    now,
    state,
    dueInMs,
    costsAttempt,
    startsAnew = false,
    reason,
    errorCode,
    errorMessage,
    requestId,
  }: Deferral,
): Promise<{ state: JobState; dueAt: Date | null } | undefined> {
  const dueAt = dueInMs === undefined ? sql`null::timestamptz` : later(now, dueInMs)
  const { rows } = await sql<{ state: JobState; dueAt: Date | null }>`
    update archive.jobs
    set state = case when archived_at is null then ${state} else 'archived' end,
      due_at = case when archived_at is not null then least(${dueAt}, ${rereadAskedFor})
        when hinted_at >= last_attempt_at then least(${dueAt}, ${earliestHinted(sql`last_attempt_at`, now)})
        else ${dueAt} end,
      waits = true, attempts = attempts + ${costsAttempt ? 1 : 0}, updated_at = ${now},
      reason = ${reason},
      reason_since = case when reason = ${reason} and not ${startsAnew} then coalesce(reason_since, ${now}) else ${now} end,
      failing_since = ${startsAnew ? null : failingSince(reason, costsAttempt, now)},
      not_ready_until = case when ${reason} = 'not_ready' then ${now} else not_ready_until end,
      last_error_code = ${errorCode}, last_error_message = ${errorMessage}, last_request_id = ${requestId ?? null},
      leased_by = null, lease_until = null
    where room_id = ${lease.roomId} and leased_by = ${lease.holder}
    returning state, due_at as "dueAt"`.execute(db)
  return rows[0]
}

/** A class that went on has not failed so far: what comes afterwards is a failure of its own. */
function failingSince(reason: string, costsAttempt: boolean, now: Instant) {
  const before = sql`
    case when reason = 'not_ended' and ${reason} <> 'not_ended' then null else failing_since + ${unattended} end`
  return costsAttempt ? sql`coalesce(${before}, ${now})` : before
}

/** Hints, however many, have a room asked for at most once a minute. */
export function earliestHinted(lastAttemptAt: ReturnType<typeof sql>, now: Instant) {
  return sql`greatest(${now}::timestamptz, ${lastAttemptAt} + interval '1 minute')`
}

/** Gives the lease back and leaves the job as it was. */
export async function releaseJob(db: Kysely<Database>, { lease, now }: { lease: Lease; now: Instant }): Promise<void> {
  await sql`
    update archive.jobs set leased_by = null, lease_until = null, updated_at = ${now}
    where room_id = ${lease.roomId} and leased_by = ${lease.holder}`.execute(db)
}
