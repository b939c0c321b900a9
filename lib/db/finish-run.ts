import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Instant } from './instant'
import type { Database } from './tables'

export interface RunResult {
  readonly roomId: bigint
  readonly attempt: number
  readonly now: Instant
  readonly outcome: string
  readonly errorCode?: string | undefined
  readonly errorMessage?: string | undefined
  readonly requestIds: readonly string[]
  readonly inserted?: number | RawBuilder<number>
  readonly updated?: number
  readonly removed?: number
  readonly duplicates?: number
  readonly contentHash?: string | undefined
  /** The pages, and how many records are on them, where they are landed by the same statement. */
  readonly landed?: { readonly pages: number; readonly records: number }
}

/** Closes an attempt's run, if it is still open, and counts the pages it landed. */
export async function finishRun(db: Kysely<Database>, run: RunResult): Promise<void> {
  await runFinished(run).execute(db)
}

/** The statement of {@link finishRun}, to be a part of another; nothing is done unless the condition is met. */
export function runFinished(run: RunResult, condition = sql<boolean>`true`): RawBuilder<unknown> {
  return sql`
    update archive.runs
    set finished_at = ${run.now}, outcome = ${run.outcome},
      error_code = ${run.errorCode ?? null}, error_message = ${run.errorMessage ?? null},
      request_ids = ${run.requestIds}::text[],
      inserted = ${run.inserted ?? 0}, updated = ${run.updated ?? 0}, removed = ${run.removed ?? 0},
      duplicates = ${run.duplicates ?? 0}, content_hash = ${run.contentHash ?? null},
      (pages, records) = (${landedBy(run)})
    where room_id = ${run.roomId} and attempt = ${run.attempt} and finished_at is null and ${condition}`
}

function landedBy({ roomId, attempt, landed }: RunResult): RawBuilder<unknown> {
  if (landed) return sql`select ${landed.pages}::int, ${landed.records}::int`
  return sql`
    select count(*), coalesce(sum(record_count), 0) from archive.raw_pages
    where room_id = ${roomId} and attempt = ${attempt}`
}

/** The newest runs of a room that came to a conclusion about its pages, before the given attempt; newest first. */
export async function concludedRuns(
  db: Kysely<Database>,
  { roomId, before, limit }: { roomId: bigint; before: number; limit: number },
): Promise<{ content_hash: string | null }[]> {
  return db
    .selectFrom('archive.runs')
    .select('content_hash')
    .where('room_id', '=', roomId)
    .where('attempt', '<', before)
    .where('outcome', 'in', ['archived', 'unchanged', 'shrunk', 'emptied', 'inconsistent'])
    .orderBy('attempt', 'desc')
    .limit(limit)
    .execute()
}
