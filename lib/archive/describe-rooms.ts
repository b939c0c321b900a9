import { later } from '../db/instant'
import { roomsToDescribe } from '../db/known-rooms'
import { mayConcernRoom, SourceError } from '../lcic/errors'
import type { ArchiveContext, Patience } from './context'
import { rememberRooms } from './remember-rooms'
import { request } from './request'
import { REFUSALS_TO_STOP } from './schedule'

/** Rooms of which LCIC did not say so soon who taught them are not asked about for ever. */
const ASK_FOR_MS = 7 * 86_400_000

/** Requests under way at once. */
const AT_ONCE = 4

/**
 * Asks LCIC who taught the archived rooms of which that is not known yet, and for what else statistics do not carry; and
 * whether classes that go on for longer than planned have been moved. It is a request a room, of another budget than that
 * of the statistics; what is not asked in time is asked by the next call.
 *
 * @param most rooms to ask about, of each kind
 * @returns how many have been described
 */
export async function describeRooms(
  context: ArchiveContext,
  { most, patience }: { most: number; patience: Patience },
): Promise<number> {
  const { db, lcic, log, now } = context
  const rooms = await roomsToDescribe(db, { now: now(), since: later(now(), -ASK_FOR_MS), limit: most })
  const queue = rooms.values()
  let described = 0
  /** One after the other. */
  let refusals = 0
  let stopped = false

  async function describe(roomId: bigint): Promise<void> {
    const { requestId: _, ...facts } = await request(
      context,
      { action: 'DescribeRoom', subject: { roomId }, send: (options) => lcic.describeRoom(roomId, options) },
      patience,
    )
    refusals = 0
    // Stryker disable next-line ObjectLiteral: not listed is what is assumed.
    await rememberRooms(context, [{ roomId, ...facts }], { listed: false })
    described++
    context.observe?.({ type: 'described', rooms: described })
  }

  async function passOver(roomId: bigint, error: unknown): Promise<void> {
    if (!(error instanceof SourceError)) throw error
    const { kind, code, requestId } = error
    // There is no such room any more: nobody can tell.
    if (kind === 'gone') {
      // Stryker disable next-line ObjectLiteral: not listed is what is assumed.
      await rememberRooms(context, [{ roomId, teacherId: '' }], { listed: false })
      return
    }
    // Nice to have, and no reason to end anything. What is not about the room itself the others would meet, too.
    stopped ||= !mayConcernRoom(code) || ++refusals >= REFUSALS_TO_STOP
    const what = stopped ? 'rooms cannot be described now' : 'the room cannot be described'
    log.warn({ roomId, kind, code, requestId }, what)
  }

  async function work(): Promise<void> {
    for (const roomId of queue) {
      if (stopped) return
      await describe(roomId).catch((error: unknown) => passOver(roomId, error))
    }
  }

  const workers = Array.from({ length: Math.min(AT_ONCE, rooms.length) }, work)
  try {
    await Promise.all(workers)
  } finally {
    // Whoever is told of a failure goes on: nothing is to be under way then.
    stopped = true
    await Promise.allSettled(workers)
  }
  return described
}
