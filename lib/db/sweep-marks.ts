import { type Kysely, sql } from 'kysely'
import type { Instant } from './instant'
import type { Database } from './tables'

/** Notes that a sweep of an app begins. @returns up to when all is known; nothing before the first full sweep */
export async function beginSweep(
  db: Kysely<Database>,
  { sdkAppId, now }: { sdkAppId: bigint; now: Instant },
): Promise<{ sweptUntil: Date | null; startedAt: Date }> {
  const { rows } = await sql<{ sweptUntil: Date | null; startedAt: Date }>`
    insert into archive.sweeps as s (sdk_app_id, started_at)
    values (${sdkAppId}, ${now})
    on conflict (sdk_app_id) do update set started_at = excluded.started_at, finished_at = null, error_message = null
    returning swept_until as "sweptUntil", started_at as "startedAt"`.execute(db)
  const [row] = rows
  if (!row) throw new TypeError('The sweep was not noted.')
  return row
}

/** Notes how a sweep ended. `sweptUntil` is given if it saw everything; the mark never moves back. */
export async function endSweep(
  db: Kysely<Database>,
  {
    sdkAppId,
    now,
    rooms,
    sweptUntil,
    errorMessage,
  }: { sdkAppId: bigint; now: Instant; rooms: number; sweptUntil?: Date; errorMessage?: string },
): Promise<void> {
  await sql`
    update archive.sweeps
    set finished_at = case when ${errorMessage === undefined} then ${now}::timestamptz end,
      rooms = ${rooms}, error_message = ${errorMessage ?? null},
      swept_until = greatest(swept_until, ${sweptUntil ?? null}::timestamptz)
    where sdk_app_id = ${sdkAppId}`.execute(db)
}
