import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'
import { FORGED_ROOMS, forgeries } from './call-back'
import type { Violation } from './checks/violation'
import type { Crew } from './crew'
import type { Scene } from './disturb'

const LOOK_MS = 500

/** LCIC's answer for rooms of the plan that are missing: they are asked for again for a day. */
const GONE = 'ResourceNotFound.Room'

/**
 * Nothing goes wrong any more. Callbacks that were not taken come again, as LCIC repeats them; a sweep looks for the rest;
 * what waits for minutes is due at once, as if they had passed; and the workers finish what is left.
 *
 * @param changed rooms that have to be read again
 * @returns what was not done in the time that the shape gives
 */
export async function settle(
  { plan, postgres, crew, signal }: Pick<Scene, 'plan' | 'postgres' | 'crew' | 'signal'>,
  changed: readonly bigint[],
): Promise<Violation[]> {
  const giveUpAt = performance.now() + plan.shape.settleMs
  const isInTime = () => performance.now() < giveUpAt
  const called = plan.rooms.filter(({ calledBackAtMs }) => calledBackAtMs !== undefined).map(({ roomId }) => roomId)
  await callUntilTaken(crew, called, isInTime)
  // Those of the plan may have met a server that was down.
  for (const [index, forgery] of forgeries.entries()) await crew.callBack(forgery, FORGED_ROOMS - 1n - BigInt(index))
  await untilDone(crew, ['sweep'], isInTime)
  const held = plan.rooms.filter(({ fate }) => fate === 'held').map(({ roomId }) => roomId)
  for (;;) {
    signal?.throwIfAborted()
    const db = postgres.db()
    await letTimePass(db)
    const left = await findUnsettled(db, held)
    if (left.length === 0) break
    if (!isInTime()) return left
    await delay(LOOK_MS, undefined, signal ? { signal } : {})
  }
  if (changed.length > 0) await untilDone(crew, ['archive', ...changed.map(String)], isInTime)
  return []
}

async function callUntilTaken(crew: Crew, roomIds: readonly bigint[], isInTime: () => boolean): Promise<void> {
  for (;;) {
    const taken = new Set(
      crew.answers.flatMap(({ kind, status, roomId }) => (kind === 'true' && status === 200 ? roomId : [])),
    )
    const left = roomIds.filter((roomId) => !taken.has(roomId))
    if (left.length === 0 || !isInTime()) return
    await Promise.all(left.map((roomId) => crew.callBack('true', roomId)))
    await delay(LOOK_MS)
  }
}

async function untilDone(crew: Crew, args: readonly string[], isInTime: () => boolean): Promise<void> {
  while ((await crew.command(args)) !== 0 && isInTime()) await delay(LOOK_MS)
}

async function letTimePass(db: Kysely<Database>): Promise<void> {
  await sql`
    update archive.jobs set due_at = now()
    where room_id = any (array(
      select room_id from archive.jobs
      where state = 'pending' and due_at > now() and last_error_code is distinct from ${GONE}
      for update skip locked))`.execute(db)
}

/** Rooms that the workers are not done with; `held` are those that have to be archived. */
export async function findUnsettled(db: Kysely<Database>, held: readonly bigint[]): Promise<Violation[]> {
  const { rows } = await sql<{ room_id: bigint; state: string | null; leased_by: string | null; error: string | null }>`
    select coalesce(held.room_id, j.room_id) as room_id, j.state, j.leased_by, j.last_error_code as error
    from archive.jobs j
    full join unnest(${held.map(String)}::bigint[]) as held (room_id) using (room_id)
    where j.room_id is null or j.leased_by is not null
      or j.state = 'pending' and j.last_error_code is distinct from ${GONE}
      or j.state not in ('archived', 'pending') and held.room_id is not null`.execute(db)
  return rows.map(({ room_id: roomId, state, leased_by: holder, error }) => ({
    check: 'lost',
    roomId,
    what: `it was not done in time: its job is ${state ?? 'not there'}, held by ${holder ?? 'nobody'}, last error ${error ?? 'none'}`,
  }))
}
