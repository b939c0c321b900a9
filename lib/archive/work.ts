import { linkedController } from '../abort'
import { databaseUnreachable, isConnectionProblem, isDatabaseTrouble } from '../db/connect'
import { type ClaimedRoom, LEASE_MS, nextDueInMs } from '../db/leases'
import { describeError } from '../errors'
import { mayConcernRoom } from '../lcic/errors'
import { archiveLeasedRoom, type BegunRoom, beginRooms, type RoomReport } from './archive-room'
import { OUT_OF_BUDGET } from './budget'
import { claimDue, newHolder } from './claim'
import type { ArchiveContext, Patience } from './context'
import { REFUSALS_TO_STOP } from './schedule'

export interface WorkOptions {
  /**
   * When to end: once there is nothing to take; once nothing is due, what others have in hand included; once nothing will
   * be due within a minute; or only when told to. Whoever ends has no room in hand.
   */
  readonly until: 'nothing_due' | 'settled' | 'idle' | 'stopped'
  /** Rooms in hand at once: with small rooms, what is asked of them together uses the whole budget. */
  readonly roomsAtOnce?: number
  /** With `nothing_due`: not before then, by the context's clock. */
  readonly notBefore?: number
  /** When to be done, by the context's clock: rooms that cannot be by then are given back. */
  readonly deadline?: number
  readonly requestTimeoutMs?: number
  readonly signal?: AbortSignal
  readonly onReport?: (report: RoomReport) => void
}

/** What a worker has done. */
export interface WorkDone {
  /** Rooms that are archived now, unchanged ones included. */
  readonly archived: number
  /** Rooms that never were held, and have no statistics. */
  readonly expired: number
  /** Attempts that came to nothing for now, a room's every attempt counted. */
  readonly putOff: number
  readonly requests: number
  readonly records: number
}

/** How often to look for rooms that have become due. */
const POLL_MS = 1000

/** How long rooms in hand may take before others are taken beside them. */
const SOON_MS = 250

/** Nothing due for so long is idle. */
const IDLE_MS = 60_000

/** Errors of the database, connections lost not counted, with no room settled in between: trying on is pointless. */
const DATABASE_ERRORS_TO_STOP = 10

/** How long a worker that is to end by itself goes on without a database. */
const UNREACHABLE_MS = 60_000

/**
 * Works off every job that is due: the right number of rooms at once, each for itself, so that one that is large, slow or
 * cannot be archived delays no other. Any number of workers may do so at the same time. A lost database is waited for,
 * and rooms that were in hand then are taken up again.
 *
 * Once `signal` is aborted, the rooms in hand are given back and it returns.
 *
 * @throws {ConfigurationError} when LCIC refuses credentials, or requests for several rooms in a row
 * @throws {DatabaseError} when the database stays out of reach
 */
export async function work(
  context: ArchiveContext,
  {
    until,
    roomsAtOnce = 8,
    onReport,
    signal,
    notBefore = 0,
    deadline = Number.POSITIVE_INFINITY,
    requestTimeoutMs,
  }: WorkOptions,
): Promise<WorkDone> {
  const { clock, log } = context
  const stop = linkedController(signal)
  const patience: Patience = {
    waitMs: 0,
    signal: stop.signal,
    deadline,
    requestTimeoutMs,
  }
  const inHand = new Set<Promise<void>>()
  /** When it was last looked for rooms that are due; and what tells that it may be looked again. */
  let lookedAt = clock.now()
  let tellNews = () => {}
  const watched: ArchiveContext = {
    ...context,
    observe(event) {
      context.observe?.(event)
      // Stryker disable next-line EqualityOperator: a millisecond.
      if (clock.now() - lookedAt >= POLL_MS) tellNews()
    },
  }
  /** Holders of rooms that could not be given back, because the database was out of reach; and since when. */
  const unreturned = new Map<string, number>()
  const refused = new Set<bigint>()
  const done = { archived: 0, expired: 0, putOff: 0, requests: 0, records: 0 }
  /**
   * Starts with one and doubles each time that rooms in hand were waited for: what runs for the first time takes several
   * times as long, and would make other rooms of this process late for their slots, which are lost then.
   */
  let mostInHand = 1
  /** Failures since the database last answered, and since when it has been out of reach. */
  let troubles = 0
  let unreachableSince: number | undefined
  /** Since a room was last settled. */
  let databaseErrors = 0
  /** No slot of the budget is free in the time that is left. */
  let isOutOfBudget = false
  let fatal: { readonly error: unknown } | undefined

  function isRoomsFault({ roomId, wasRefused }: ClaimedRoom, code: string): boolean {
    if (!mayConcernRoom(code)) return false
    // Rooms that are always refused may come by together, with no other between.
    if (wasRefused) return true
    refused.add(roomId)
    return refused.size < REFUSALS_TO_STOP
  }

  function settled(report: RoomReport): void {
    isReached()
    databaseErrors = 0
    if (report.code === OUT_OF_BUDGET) isOutOfBudget = true
    if (report.outcome !== 'refused') refused.clear()
    const isArchived = report.outcome === 'archived' || report.outcome === 'unchanged'
    if (isArchived) done.archived++
    else if (report.outcome === 'expired') done.expired++
    else if (report.outcome !== 'busy' && report.code !== OUT_OF_BUDGET) done.putOff++
    done.requests += report.requests
    if (isArchived) done.records += report.records
    onReport?.(report)
  }

  function end(error: unknown): void {
    fatal ??= { error }
    stop.abort(error)
  }

  function isReached(): void {
    troubles = 0
    unreachableSince = undefined
  }

  /** Waits a little longer each time, or ends the work where waiting is pointless. */
  async function endureTrouble(error: unknown): Promise<void> {
    troubles++
    const { code, message: reason } = describeError(error)
    log.warn({ code, reason, troubles }, 'trouble with the database')
    if (troubles === 2) context.observe?.({ type: 'database_lost' })
    if (isConnectionProblem(error)) {
      unreachableSince ??= clock.now()
      // Stryker disable next-line EqualityOperator: a millisecond.
      if (until !== 'stopped' && clock.now() - unreachableSince >= UNREACHABLE_MS)
        return end(databaseUnreachable(error))
    } else if (++databaseErrors >= DATABASE_ERRORS_TO_STOP) return end(error)
    await pause(Math.min(5000, 100 * 2 ** Math.min(troubles, 6)) * (1 + Math.random() / 2))
  }

  /** Ends at once when the work does. */
  async function pause(durationMs: number, signal: AbortSignal = stop.signal): Promise<void> {
    await clock.sleep(durationMs, signal).catch(() => undefined)
  }

  /**
   * Until one of the rooms in hand is done, or something happens to one and nobody has looked for others for a while: a
   * callback starts no other worker beside one that is busy. And no longer than this.
   */
  async function untilNews(mostMs: number | undefined): Promise<void> {
    const news = new Promise<void>((resolve) => {
      tellNews = resolve
    })
    const timer = linkedController(stop.signal)
    await Promise.race([...inHand, news, ...(mostMs === undefined ? [] : [pause(mostMs, timer.signal)])])
    timer.abort()
    timer.unlink()
  }

  /** @returns how long to leave it at the rooms in hand; `undefined` if until there is news of them */
  function lookAgainInMs(mayBeMore: boolean): number | undefined {
    // Of those that may be more, several are claimed at once that way: one is done, and soon others are.
    if (mayBeMore) return SOON_MS
    return until === 'nothing_due' ? undefined : POLL_MS
  }

  function take(lease: ClaimedRoom, begun: BegunRoom | undefined): void {
    const isOwnFault = (code: string) => isRoomsFault(lease, code)
    const task = archiveLeasedRoom(watched, lease, patience, { begun, isRoomsFault: isOwnFault })
      .then(settled, async (error: unknown) => {
        if (isDatabaseTrouble(error)) {
          unreturned.set(lease.holder, clock.now())
          // Stryker disable next-line BooleanLiteral,ConditionalExpression: the next claim meets the same trouble.
          if (!stop.signal.aborted) await endureTrouble(error)
        } else if (!stop.signal.aborted) end(error)
      })
      .finally(() => inHand.delete(task))
    inHand.add(task)
  }

  function isOver(): boolean {
    return isOutOfBudget || clock.now() >= deadline
  }

  /** Takes what is due into hand. @returns whether more may be due */
  async function takeDue(): Promise<boolean> {
    const limit = mostInHand - inHand.size
    // Stryker disable next-line ConditionalExpression,EqualityOperator,BooleanLiteral: nothing would be taken, by one more statement.
    if (limit <= 0) return false
    if (isOver()) return false
    lookedAt = clock.now()
    // Stryker disable next-line ConditionalExpression,EqualityOperator: what has run out is anybody's.
    for (const [holder, since] of unreturned) if (clock.now() - since > LEASE_MS) unreturned.delete(holder)
    const own = [...unreturned.keys()]
    const holder = newHolder(context)
    try {
      const leases = await claimDue(context, { limit, own, holder })
      // Stryker disable next-line ConditionalExpression,EqualityOperator: nothing would be begun, by one more statement.
      const begun = leases.length > 0 ? await beginRooms(context, leases) : new Map<bigint, BegunRoom>()
      isReached()
      for (const lease of leases) take(lease, begun.get(lease.roomId))
      return leases.length === limit
    } catch (error) {
      if (!isDatabaseTrouble(error)) throw error
      // It may have been done, and only the answer was lost.
      unreturned.set(holder, clock.now())
      await endureTrouble(error)
      return true
    }
  }

  /** @returns how long there is nothing to do; `undefined` if that is the end */
  async function idleMs(): Promise<number | undefined> {
    if (isOver()) return undefined
    const earlyMs = notBefore - clock.now()
    // Stryker disable next-line EqualityOperator: none is as good as no time at all.
    if (until === 'nothing_due') return earlyMs > 0 ? earlyMs : undefined
    try {
      const dueMs = await nextDueInMs(context.db, { now: context.now() })
      isReached()
      // Stryker disable next-line EqualityOperator: a millisecond.
      if (until === 'settled' && (dueMs === undefined || dueMs > 0)) return undefined
      // Stryker disable next-line EqualityOperator: a millisecond.
      if (until === 'idle' && (dueMs ?? Number.POSITIVE_INFINITY) > IDLE_MS) return undefined
      // One that is due by now is in another worker's hand.
      const waitMs = dueMs ?? 0
      // Stryker disable next-line EqualityOperator: a millisecond.
      return waitMs > 0 ? Math.min(waitMs, POLL_MS) : POLL_MS
    } catch (error) {
      if (!isDatabaseTrouble(error)) throw error
      await endureTrouble(error)
      return 0
    }
  }

  try {
    while (!stop.signal.aborted) {
      const mayBeMore = await takeDue()
      if (inHand.size === 0) {
        if (mayBeMore) continue
        const waitMs = await idleMs()
        if (waitMs === undefined) break
        await pause(waitMs)
      } else {
        await untilNews(lookAgainInMs(mayBeMore))
        mostInHand = Math.min(roomsAtOnce, mostInHand * 2)
      }
    }
  } catch (error) {
    end(error)
  }
  await Promise.allSettled(inHand)
  stop.unlink()
  if (fatal) throw fatal.error
  return done
}
