import { averagePages, countSettled } from '../db/count-rooms'
import { PAGE_LIMIT } from '../lcic/client'
import { slotSpacingMs } from './budget'
import type { ArchiveContext, Patience } from './context'
import { type Listing, listRooms, type Span } from './list-rooms'
import { isOver } from './remember-rooms'

/** What archiving a past span will take. */
export interface BackfillPlan {
  /** Rooms of the span that have ended, unused ones that expired included. */
  readonly rooms: number
  /** Those that are archived already, or never will be: they expired. */
  readonly settled: number
  readonly toArchive: number
  /** Requests to list the rooms, and to read their statistics. */
  readonly listRequests: number
  readonly statisticsRequests: number
  readonly durationMs: number
}

/**
 * Finds out what archiving a past span will take: lists the rooms, and writes nothing. Rooms take as many requests as
 * those that are archived already, on average; the first ones one each.
 *
 * @throws {SourceError | IncompleteListError}
 */
export async function planBackfill(
  context: ArchiveContext,
  {
    sdkAppIds,
    span,
    requestsPerSecond,
    patience,
  }: { sdkAppIds: readonly bigint[]; span: Span; requestsPerSecond: number; patience: Patience },
): Promise<BackfillPlan> {
  const { db, clock, observe } = context
  const startedAt = clock.now()
  const rooms = new Set<bigint>()
  const listing: Listing = { requestIds: [] }
  for (const sdkAppId of sdkAppIds) {
    for await (const { rooms: page, upTo } of listRooms(context, sdkAppId, span, patience, listing)) {
      for (const room of page) if (isOver(room)) rooms.add(room.roomId)
      observe?.({ type: 'listed', rooms: rooms.size, upTo })
    }
  }
  const listingMs = clock.now() - startedAt
  const settled = await countSettled(db, [...rooms])
  const toArchive = rooms.size - settled
  const statisticsRequests = Math.round(toArchive * (await averagePages(db, PAGE_LIMIT)))
  return {
    rooms: rooms.size,
    settled,
    toArchive,
    listRequests: listing.requestIds.length,
    statisticsRequests,
    durationMs: listingMs + statisticsRequests * slotSpacingMs(requestsPerSecond),
  }
}
