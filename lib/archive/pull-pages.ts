import { isDeepStrictEqual } from 'node:util'
import { linkedController } from '../abort'
import type { UnlandedPage } from '../db/archive-new-room'
import type { ArchivedRoom, LandedPage } from '../db/begin-attempt'
import { landPage, type PageToLand } from '../db/land-page'
import { renewLease } from '../db/leases'
import { readErasures } from '../db/read-erasures'
import { PAGE_LIMIT } from '../lcic/client'
import { redactPage } from '../lcic/redact-page'
import type { PageFigures, RoomFigures, StatisticsPage } from '../lcic/statistics'
import { type ArchiveContext, type Attempt, LeaseLostError, type Patience } from './context'
import { request } from './request'

/** The pages of an attempt contradict each other; the message says how. */
export class InconsistentPagesError extends Error {}

/** A landed page of a room's statistics. */
export type RoomPage = LandedPage<PageFigures>

/** The pages of an attempt. */
export interface PulledPages {
  /** By number. */
  readonly pages: readonly RoomPage[]
  /** The only page of a new room, which is to be landed with the room. */
  readonly onlyPage?: OnlyPage
}

export interface OnlyPage extends UnlandedPage {
  readonly page: PageToLand<PageFigures>
  /** As it came. */
  readonly answer: StatisticsPage
}

/** Pages asked for at once: enough to use the whole budget on one room when an answer takes up to 200 ms. */
const PAGES_IN_FLIGHT = 4

/**
 * Pulls and lands the pages of an attempt that are not landed yet, until there are as many records as LCIC announced:
 * never until a short page, since nothing says that pages are full.
 *
 * @throws {InconsistentPagesError} if the pages disagree about the room, or end before, or go beyond, what was announced
 */
export async function pullPages(
  context: ArchiveContext,
  attempt: Attempt,
  { landed, archived }: { landed: readonly RoomPage[]; archived?: ArchivedRoom },
  patience: Patience,
): Promise<PulledPages> {
  const pages = new Map<number, RoomPage>()
  let onlyPage: OnlyPage | undefined
  const inFlight = new Map<number, Promise<void>>()
  const stop = linkedController(patience.signal)

  async function pull(page: number): Promise<void> {
    const answer = await requestPage(context, attempt, page, { ...patience, signal: stop.signal })
    requireAgreement(pages, page, answer.figures)
    const landed = isOnlyPage(page, answer, archived)
      ? keepOnly(answer)
      : await landAnswer(context, attempt, page, answer, archived)
    const { recordCount, erased, figures, contentHash, requestId } = landed
    pages.set(page, { page, recordCount, erased, figures, contentHash, requestId })
    const records = countRecords(pages)
    const { roomId } = attempt.lease
    context.observe?.({ type: 'page', roomId, page, pageRecords: recordCount, records, total: figures.Total })
  }

  function keepOnly(answer: StatisticsPage): PageToLand<PageFigures> {
    onlyPage = { ...redactedPage(context, attempt, 1, answer), answer }
    return onlyPage.page
  }

  try {
    for (const page of landed) {
      requireAgreement(pages, page.page, page.figures)
      pages.set(page.page, page)
    }
    for (;;) {
      const page = nextPage(pages, inFlight)
      if (page !== undefined) {
        // One that fails stays, so that the race below cannot miss it.
        const pulled = pull(page).then(() => {
          inFlight.delete(page)
        })
        inFlight.set(page, pulled)
      } else if (inFlight.size > 0) {
        await Promise.race(inFlight.values())
      } else {
        break
      }
    }
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(inFlight.values())
    throw error
  } finally {
    stop.unlink()
  }
  requireWholeness(pages, archived)
  return { pages: [...pages.values()].sort((a, b) => a.page - b.page), ...(onlyPage && { onlyPage }) }
}

async function requestPage(
  context: ArchiveContext,
  { lease, number: attempt, requestIds }: Attempt,
  page: number,
  patience: Patience,
): Promise<StatisticsPage> {
  const { db, lcic } = context
  const { roomId } = lease
  return request(
    context,
    {
      action: 'DescribeRoomStatistics',
      subject: { roomId, attempt, page },
      send: (options) => lcic.describeRoomStatistics(roomId, page, options),
      requestIds,
      async keepAlive() {
        if (!(await renewLease(db, { lease, now: context.now() }))) throw new LeaseLostError()
      },
    },
    patience,
  )
}

/** Of a new room it saves a round trip to land its only page with it; one that lists nobody may not be archived at all. */
function isOnlyPage(
  page: number,
  { recordCount, figures }: StatisticsPage,
  archived: ArchivedRoom | undefined,
): boolean {
  return !archived && page === 1 && recordCount > 0 && recordCount === figures.Total
}

/** The next page to ask for; `undefined` while answers have to be awaited first, and when all is there. */
function nextPage(pages: ReadonlyMap<number, RoomPage>, inFlight: ReadonlyMap<number, unknown>): number | undefined {
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

/** Lands what may be stored of an answer. @returns what was landed */
export async function landAnswer(
  context: Pick<ArchiveContext, 'db' | 'now' | 'policy'>,
  attempt: Attempt,
  page: number,
  answer: StatisticsPage,
  archived?: ArchivedRoom,
): Promise<PageToLand<PageFigures>> {
  const { db, now } = context
  const { lease } = attempt
  for (;;) {
    const redacted = redactedPage(context, attempt, page, answer, archived)
    const landing = await landPage(db, { lease, now: now(), ...redacted })
    if (landing === 'landed') return redacted.page
    if (landing === 'lost') throw new LeaseLostError()
    attempt.erasures = await readErasures(db, lease.roomId)
  }
}

/** What may be stored of an answer, by what is known of erasures. */
function redactedPage(
  { policy: { personalData } }: Pick<ArchiveContext, 'policy'>,
  { number: attempt, erasures }: Attempt,
  page: number,
  answer: StatisticsPage,
  archived?: ArchivedRoom,
): { page: PageToLand<PageFigures>; erasuresSeen: bigint } {
  const { newest: erasuresSeen = 0n, isErased } = erasures ?? {}
  const { page: redacted, erased } = redactPage(answer, { personalData, isErased })
  const { body, records, requestId, figures, recordCount, contentHash } = redacted
  const unchanged = archived?.pageHashes[page] === contentHash
  const content = archived && unchanged ? { sameAsAttempt: archived.attempt } : { body, ...(records && { records }) }
  return {
    page: { attempt, page, requestId, content, figures, recordCount, erased: erased.length, contentHash },
    erasuresSeen,
  }
}

/** Every page must say the same of the room as those that landed before it. */
function requireAgreement(pages: ReadonlyMap<number, RoomPage>, page: number, figures: PageFigures): void {
  const [first] = pages.values()
  if (!first) return
  const expected = agreedFigures(first.figures)
  const found = agreedFigures(figures)
  if (isDeepStrictEqual(expected, found)) return
  throw new InconsistentPagesError(
    `page ${first.page} says ${differing(expected, found)}, page ${page} ${differing(found, expected)}`,
  )
}

function requireWholeness(pages: ReadonlyMap<number, RoomPage>, archived: ArchivedRoom | undefined): void {
  const total = announcedTotal(pages)
  const records = countRecords(pages)
  const [first] = pages.values()
  const online = Math.max(first?.figures.PeakMemberNumber ?? 0, first?.figures.MemberNumber ?? 0)
  // An empty report that knows of members came too early. Of a room that is archived it is known what was there.
  if (records === 0 && online > 0 && !archived) {
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
function countRecords(pages: ReadonlyMap<number, RoomPage>): number {
  let records = 0
  for (const { recordCount, erased } of pages.values()) records += recordCount + erased
  return records
}
