import { type Kysely, sql } from 'kysely'
import { type Instant, later } from './instant'
import type { Database } from './tables'

/**
 * Notes that the regular sweep of an app begins.
 *
 * @returns up to when all is known, null before the first full sweep; and when this one began, by the database's clock
 */
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

/**
 * Notes how the regular sweep of an app ended.
 *
 * @param seen what it saw whole: from where it began until its start, or, if it failed, until some time before
 */
export async function endSweep(
  db: Kysely<Database>,
  {
    sdkAppId,
    now,
    rooms,
    seen,
    errorMessage,
  }: { sdkAppId: bigint; now: Instant; rooms: number; seen?: { from: Date; to: Date }; errorMessage?: string },
): Promise<void> {
  const from = seen ? sql`${seen.from}::timestamptz` : sql`swept_from`
  // The end may move back: a mark from before the server's clock was set back would keep sweeps from looking.
  await sql`
    update archive.sweeps
    set finished_at = case when ${errorMessage === undefined} then ${now}::timestamptz end,
      rooms = ${rooms}, error_message = ${errorMessage ?? null},
      swept_from = case when swept_from <= ${from} and swept_until >= ${from} then swept_from else ${from} end,
      swept_until = ${seen ? sql`${seen.to}::timestamptz` : sql`swept_until`}
    where sdk_app_id = ${sdkAppId}`.execute(db)
}

/**
 * Notes that all is known of a span that was looked through besides the regular sweeps. What is known stays one piece: a
 * span counts where it touches what is known, or, where nothing is, if the next regular sweep goes on from it.
 */
export async function extendSwept(
  db: Kysely<Database>,
  {
    sdkAppId,
    now,
    seen,
    lookbackMs,
  }: { sdkAppId: bigint; now: Instant; seen: { from: Date; to: Date }; lookbackMs: number },
): Promise<void> {
  const until = sql`least(${seen.to}, ${now}::timestamptz)`
  await sql`
    update archive.sweeps
    set swept_from = least(swept_from, ${seen.from}), swept_until = greatest(swept_until, ${until})
    where sdk_app_id = ${sdkAppId} and swept_from <= ${seen.to} and swept_until >= ${seen.from}`.execute(db)
  await sql`
    insert into archive.sweeps as s (sdk_app_id, started_at, swept_from, swept_until)
    select ${sdkAppId}, ${now}, ${seen.from}, ${until}
    where ${seen.to}::timestamptz >= ${later(now, -lookbackMs)}
    on conflict (sdk_app_id) do update set swept_from = excluded.swept_from, swept_until = excluded.swept_until
    where s.swept_until is null`.execute(db)
}
