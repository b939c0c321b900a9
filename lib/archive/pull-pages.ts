import { isDeepStrictEqual } from 'node:util'
import { linkedController } from '../abort'
import type { ArchivedRoom, LandedPage } from '../db/begin-attempt'
import { landPage, type PageToLand } from '../db/land-page'
import { renewLease } from '../db/leases'
import { encodeMembers, type MemberColumns } from '../db/member-columns'
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
  /** What is needed to archive a new room at once; absent: for the pages of others, and of large or archived rooms. */
  readonly newRoom?: { readonly members: readonly MemberColumns[]; readonly erasuresSeen: bigint }
  /** The room's only page, if it is not landed yet: it is landed with the room, or need not be. */
  readonly unlanded?: UnlandedPage | undefined
}

export interface UnlandedPage {
  readonly page: PageToLand<PageFigures>
  /** The answer's text as it came: what was parsed of it would take several times the memory. */
  readonly body: Buffer
}

/** Of larger rooms the records are not kept in memory until they are archived. They take some 200 bytes each. */
const MOST_HELD = 5000

const MOST_ERASURES = 2n ** 63n - 1n

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
  const isNew = !archived && landed.length === 0
  /** The records of each page of a new room. */
  const held: { readonly columns: MemberColumns; readonly erasuresSeen: bigint }[] = []
  let unlanded: UnlandedPage | undefined
  const inFlight = new Map<number, Promise<void>>()
  const stop = linkedController(patience.signal)

  async function pull(page: number): Promise<void> {
    const answer = await requestPage(context, attempt, page, { ...patience, signal: stop.signal })
    requireAgreement(pages, page, answer.figures)
    const isHeld = isNew && answer.figures.Total <= MOST_HELD
    const redacted = redactedPage(context, attempt, page, answer, archived)
    const isSame = 'sameAsAttempt' in redacted.page.content
    // A room that lists nobody may not be archived at all.
    const isOnly =
      page === 1 && landed.length === 0 && answer.recordCount > 0 && answer.recordCount === answer.figures.Total
    const isUnlanded = isOnly && (isHeld || isSame)
    if (isUnlanded) unlanded = { page: redacted.page, body: answer.body }
    const told = isUnlanded ? redacted : await landAnswer(context, attempt, page, answer, archived, redacted)
    if (isHeld) held.push({ columns: encodeMembers(told.members), erasuresSeen: told.erasuresSeen })
    const { recordCount, erased, figures, contentHash, requestId } = told.page
    pages.set(page, { page, recordCount, erased, figures, contentHash, requestId })
    const records = countRecords(pages)
    const { roomId } = attempt.lease
    context.observe?.({ type: 'page', roomId, page, pageRecords: recordCount, records, total: figures.Total })
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
  const all = [...pages.values()].sort((a, b) => a.page - b.page)
  if (held.length < all.length) return { pages: all, unlanded }
  const erasuresSeen = held.reduce(
    (least, page) => (page.erasuresSeen < least ? page.erasuresSeen : least),
    MOST_ERASURES,
  )
  return { pages: all, unlanded, newRoom: { members: held.map(({ columns }) => columns), erasuresSeen } }
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

/** What may be stored of an answer. */
interface RedactedPage {
  readonly page: PageToLand<PageFigures>
  readonly members: StatisticsPage['members']
  /** Number of the newest erasure that it was redacted by. */
  readonly erasuresSeen: bigint
}

/** Lands what may be stored of an answer. @returns what was landed */
export async function landAnswer(
  context: Pick<ArchiveContext, 'db' | 'now' | 'policy'>,
  attempt: Attempt,
  page: number,
  answer: StatisticsPage,
  archived?: ArchivedRoom,
  first = redactedPage(context, attempt, page, answer, archived),
): Promise<RedactedPage> {
  const { db, now } = context
  const { lease } = attempt
  for (let redacted = first; ; redacted = redactedPage(context, attempt, page, answer, archived)) {
    const { page: facts, erasuresSeen } = redacted
    const landing = await landPage(db, { lease, now: now(), page: facts, erasuresSeen })
    if (landing === 'landed') return redacted
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
  archived: ArchivedRoom | undefined,
): RedactedPage {
  const { newest: erasuresSeen = 0n, isErased } = erasures ?? {}
  const { page: redacted, erased } = redactPage(answer, { personalData, isErased })
  const { body, records, members, requestId, figures, recordCount, contentHash } = redacted
  const unchanged = archived?.pageHashes[page] === contentHash
  const content = archived && unchanged ? { sameAsAttempt: archived.attempt } : { body, ...(records && { records }) }
  return {
    page: { attempt, page, requestId, content, figures, recordCount, erased: erased.length, contentHash },
    members,
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
