import { ArchiveError } from '../errors'
import type { ListedRoom } from '../lcic/rooms'
import type { ArchiveContext, Patience } from './context'
import { request } from './request'

/** From a moment to another. */
export interface Span {
  readonly from: Date
  readonly to: Date
}

/** A page of a list. */
export interface ListedPage {
  readonly rooms: readonly ListedRoom[]
  /** Until when the part of the span lasts that it belongs to. */
  readonly upTo: Date
}

/** How far a list has come. */
export interface Listing {
  /** RequestIds of all answers. */
  readonly requestIds: string[]
  /** From the beginning of the span until then it is whole. */
  wholeUpTo?: Date
}

/** The list kept changing while it was read, or lacks rooms that it counts. */
export class IncompleteListError extends ArchiveError {}

/** Windows are no longer than this, so that one that has to be read again is not the whole of a year. */
const WINDOW_MS = 96 * 3_600_000

/** How far windows overlap: a class that is moved while it is looked for is in one of them. */
const OVERLAP_MS = 3_600_000

/** A list that does not hold what it counts is read again, so often in all. */
const READS = 4

/**
 * Lists the rooms of an app whose time touches a span, whatever their status: asked for by status, rooms would leave and
 * enter the list while its pages are read. They come page by page, some more than once.
 *
 * Nothing says in which order LCIC lists rooms. A list whose pages do not hold as many different rooms as each of them
 * counts has shifted, and is read again.
 *
 * @throws {IncompleteListError} after all that could be read, if a part of it never was whole
 * @throws {SourceError}
 */
export async function* listRooms(
  context: ArchiveContext,
  sdkAppId: bigint,
  span: Span,
  patience: Patience,
  listing: Listing,
): AsyncGenerator<ListedPage> {
  const problems: string[] = []
  for (const window of windowsOf(span)) {
    const { from, to } = window
    for (let reads = 1; ; reads++) {
      const problem = yield* readWindow(context, { sdkAppId, from, to }, patience, listing.requestIds)
      if (problem === undefined) {
        if (problems.length === 0) listing.wholeUpTo = new Date(Math.min(to * 1000, span.to.getTime()))
        break
      }
      if (reads === READS) {
        problems.push(`from ${new Date(from * 1000).toISOString()} to ${new Date(to * 1000).toISOString()} ${problem}`)
        break
      }
      await context.clock.sleep(reads * 500, patience.signal)
    }
  }
  if (problems.length > 0) {
    const all = problems.join('; ')
    throw new IncompleteListError('E_INCOMPLETE_LIST', `The list of rooms of app ${sdkAppId} is not whole: ${all}.`)
  }
}

/** Unix seconds, whole. */
function* windowsOf({ from, to }: Span): Generator<{ from: number; to: number }> {
  for (let begin = from.getTime(); ; begin += WINDOW_MS - OVERLAP_MS) {
    const end = Math.min(begin + WINDOW_MS, to.getTime())
    yield { from: Math.floor(begin / 1000), to: Math.ceil(end / 1000) }
    if (end >= to.getTime()) return
  }
}

/** Reads all pages of one window. @returns what is wrong with them as a whole, if anything is */
async function* readWindow(
  context: ArchiveContext,
  window: { sdkAppId: bigint; from: number; to: number },
  patience: Patience,
  requestIds: string[],
): AsyncGenerator<ListedPage, string | undefined> {
  const { lcic } = context
  const ids = new Set<bigint>()
  const totals = new Set<number>()
  for (let page = 1, read = 0; ; page++) {
    const { rooms, count, total } = await request(
      context,
      {
        action: 'GetRooms',
        subject: { sdkAppId: window.sdkAppId, page },
        send: (options) => lcic.getRooms(window, page, options),
        requestIds,
      },
      patience,
    )
    yield { rooms, upTo: new Date(window.to * 1000) }
    for (const { roomId } of rooms) ids.add(roomId)
    totals.add(total)
    read += count
    if (count === 0 || read >= total) break
  }
  const counts = [...totals].join(', then ')
  return totals.size > 1 || !totals.has(ids.size) ? `it counts ${counts} rooms and lists ${ids.size}` : undefined
}
