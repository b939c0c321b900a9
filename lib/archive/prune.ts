import type { Kysely } from 'kysely'
import type { Retention } from '../config'
import type { Instant } from '../db/instant'
import { countOldCallbacks, pruneCallbacks } from '../db/prune-callbacks'
import { type PrunedRooms, pruneMembers, prunePages } from '../db/prune-rooms'
import { countJobs, roomRanges } from '../db/room-ranges'
import type { Database } from '../db/tables'

export interface PruneOptions {
  readonly retention: Retention
  /** Only count what would be deleted. */
  readonly plan?: boolean
  readonly now: Instant
  readonly signal?: AbortSignal
  /** Told how many of the archive's rooms have been looked through. */
  readonly onProgress?: (progress: { readonly rooms: number; readonly of: number }) => void
}

/** What was deleted, or would be; absent: it is kept for ever. */
export interface PruneReport {
  readonly members?: PrunedRooms
  /** Those of rooms whose members were deleted are among the members'. */
  readonly rawPages?: Pick<PrunedRooms, 'rooms' | 'pages'>
  readonly callbacks?: number
}

/** Rooms of one statement. */
const ROOMS_AT_ONCE = 100

/**
 * Deletes what was kept long enough, in small portions that are committed one by one: stopped in the middle, it has done so
 * much, and the next run does the rest.
 *
 * @throws the signal's reason once aborted
 */
export async function prune(db: Kysely<Database>, options: PruneOptions): Promise<PruneReport> {
  const { retention, plan = false, now, signal, onProgress } = options
  const { membersMs, rawPagesMs, callbacksMs } = retention
  const members = { rooms: 0, pages: 0, members: 0 }
  const rawPages = { rooms: 0, pages: 0, members: 0 }
  // Stryker disable next-line ConditionalExpression: all rooms would be looked through for nothing.
  if (membersMs !== undefined || rawPagesMs !== undefined) {
    const of = await countJobs(db)
    let rooms = 0
    for await (const range of roomRanges(db, { jobs: ROOMS_AT_ONCE })) {
      signal?.throwIfAborted()
      if (membersMs !== undefined) add(members, await pruneMembers(db, { range, keepMs: membersMs, now, plan }))
      if (rawPagesMs !== undefined)
        add(rawPages, await prunePages(db, { range, keepMs: rawPagesMs, now, plan, keepMembersMs: membersMs }))
      rooms += range.jobs
      onProgress?.({ rooms, of })
    }
  }
  signal?.throwIfAborted()
  const callbacks = callbacksMs === undefined ? undefined : await callbacksOlderThan(callbacksMs)
  return {
    ...(membersMs !== undefined && { members }),
    ...(rawPagesMs !== undefined && { rawPages: { rooms: rawPages.rooms, pages: rawPages.pages } }),
    ...(callbacks !== undefined && { callbacks }),
  }

  async function callbacksOlderThan(keepMs: number): Promise<number> {
    if (plan) return countOldCallbacks(db, { keepMs, now })
    for (let deleted = 0; ; ) {
      const more = await pruneCallbacks(db, { keepMs, now })
      if (more === 0) return deleted
      deleted += more
      signal?.throwIfAborted()
    }
  }
}

function add(sum: { rooms: number; pages: number; members: number }, { rooms, pages, members }: PrunedRooms): void {
  sum.rooms += rooms
  sum.pages += pages
  sum.members += members
}
