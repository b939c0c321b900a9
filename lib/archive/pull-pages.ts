import { linkedController } from '../abort'
import type { ArchivedRoom } from '../db/begin-attempt'
import { landPage, type PageToLand } from '../db/land-page'
import { renewLease } from '../db/leases'
import { encodeMembers, type MemberColumns } from '../db/member-columns'
import { readErasures } from '../db/read-erasures'
import { redactPage } from '../lcic/redact-page'
import type { PageFigures, StatisticsPage } from '../lcic/statistics'
import { type ArchiveContext, type Attempt, LeaseLostError, type Patience } from './context'
import { countRecords, nextPage, type RoomPage, requireAgreement, requireWholeness } from './paging'
import { request } from './request'

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
  /** The records of each page of a new room: of all of them, or of none. */
  const held: { readonly columns: MemberColumns; readonly erasuresSeen: bigint }[] = []
  let unlanded: UnlandedPage | undefined
  const inFlight = new Map<number, Promise<void>>()
  const stop = linkedController(patience.signal)

  async function pull(page: number): Promise<void> {
    const answer = await requestPage(context, attempt, page, { ...patience, signal: stop.signal })
    requireAgreement(pages, page, answer.figures)
    const isHeld = isNew && answer.figures.Total <= MOST_HELD
    const redacted = redactedPage(context, attempt, page, answer, archived)
    // Stryker disable next-line StringLiteral: it would be landed, by one more statement.
    const isSame = 'sameAsAttempt' in redacted.page.content
    // A room that lists nobody may not be archived at all.
    // Stryker disable next-line ConditionalExpression: beside one that holds all records there is no other.
    const isOnly = landed.length === 0 && answer.recordCount > 0 && answer.recordCount === answer.figures.Total
    // Stryker disable next-line ConditionalExpression: a changed one would be landed a moment later.
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
  requireWholeness(pages, archived !== undefined)
  const all = [...pages.values()].sort((a, b) => a.page - b.page)
  // The first is there before any other is asked for, and what is known of erasures only grows.
  const [first] = held
  if (!first) return { pages: all, unlanded }
  const newRoom = { members: held.map(({ columns }) => columns), erasuresSeen: first.erasuresSeen }
  return { pages: all, unlanded, newRoom }
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
