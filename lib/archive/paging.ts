import { isDeepStrictEqual } from 'node:util'
import type { LandedPage } from '../db/begin-attempt'
import { PAGE_LIMIT } from '../lcic/client'
import type { PageFigures, RoomFigures } from '../lcic/statistics'

/** The pages of an attempt contradict each other; the message says how. */
export class InconsistentPagesError extends Error {}

/** A landed page of a room's statistics. */
export type RoomPage = LandedPage<PageFigures>

/** Pages asked for at once: enough to use the whole budget on one room when an answer takes up to 200 ms. */
const PAGES_IN_FLIGHT = 4

/** The next page to ask for; `undefined` while answers have to be awaited first, and when all is there. */
export function nextPage(
  pages: ReadonlyMap<number, RoomPage>,
  inFlight: ReadonlyMap<number, unknown>,
): number | undefined {
  const total = announcedTotal(pages)
  if (total === undefined) return inFlight.size === 0 ? 1 : undefined
  if (inFlight.size >= PAGES_IN_FLIGHT) return undefined
  // The pages in flight are expected to be full; should one turn out short, its answer brings us here again.
  if (total - countRecords(pages) <= inFlight.size * PAGE_LIMIT) return undefined
  // An empty page is the end, whatever was announced.
  for (const { recordCount, erased } of pages.values()) if (recordCount + erased === 0) return undefined
  let page = 1
  while (pages.has(page) || inFlight.has(page)) page++
  return page
}

/** Every page must say the same of the room as those that landed before it. @throws {InconsistentPagesError} */
export function requireAgreement(pages: ReadonlyMap<number, RoomPage>, page: number, figures: PageFigures): void {
  const [first] = pages.values()
  if (!first) return
  const expected = agreedFigures(first.figures)
  const found = agreedFigures(figures)
  if (isDeepStrictEqual(expected, found)) return
  throw new InconsistentPagesError(
    `page ${first.page} says ${differing(expected, found)}, page ${page} ${differing(found, expected)}`,
  )
}

/**
 * The pages must hold as many records as was announced. An empty report that knows of members came too early: of a room
 * that is archived it is known what was there.
 *
 * @throws {InconsistentPagesError}
 */
export function requireWholeness(pages: ReadonlyMap<number, RoomPage>, isArchived: boolean): void {
  const total = announcedTotal(pages)
  const records = countRecords(pages)
  const [first] = pages.values()
  const online = Math.max(first?.figures.PeakMemberNumber ?? 0, first?.figures.MemberNumber ?? 0)
  if (records === 0 && online > 0 && !isArchived) {
    throw new InconsistentPagesError(`LCIC counts ${online} members online, and lists nobody`)
  }
  if (records === total) return
  throw new InconsistentPagesError(`LCIC announced ${total} records, and its ${pages.size} pages hold ${records}`)
}

function agreedFigures({ extra: _, ...figures }: PageFigures): RoomFigures {
  return figures
}

function differing(these: RoomFigures, others: RoomFigures): string {
  const other = new Map(Object.entries(others))
  const entries = Object.entries(these).filter(([name, value]) => other.get(name) !== value)
  return entries.map(([name, value]) => `${name} ${value}`).join(', ')
}

function announcedTotal(pages: ReadonlyMap<number, RoomPage>): number | undefined {
  const [first] = pages.values()
  return first?.figures.Total
}

/** As LCIC sent them: those that were left out as erased are among them. */
export function countRecords(pages: ReadonlyMap<number, RoomPage>): number {
  let records = 0
  for (const { recordCount, erased } of pages.values()) records += recordCount + erased
  return records
}
