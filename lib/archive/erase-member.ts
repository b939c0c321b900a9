import type { Kysely } from 'kysely'
import type { Clock } from '../clock'
import type { PersonalData } from '../config'
import { awaitWriters } from '../db/await-writers'
import { countTaughtRooms, eraseTeacher } from '../db/erase-teacher'
import { beginErasure, countErasedRooms, finishErasure, saveErasureProgress } from '../db/erasures'
import { roomsWithTraces } from '../db/find-traces'
import type { Instant } from '../db/instant'
import { reduceCallbacks } from '../db/reduce-callbacks'
import { countJobs, roomRanges } from '../db/room-ranges'
import type { Database } from '../db/tables'
import { ArchiveError } from '../errors'
import { LEAST_TELLING } from '../lcic/redact-page'
import { storedUserId } from '../lcic/redact-text'
import { type ErasedMember, eraseFromRoom, type RoomErasure } from './erase-from-room'

export interface EraseOptions {
  /** As LCIC has it, or as the archive has it. */
  readonly userId: string
  /** The app that the member belongs to; absent: of whatever app. */
  readonly sdkAppId?: bigint | undefined
  /** How user ids were stored. */
  readonly personalData?: PersonalData | undefined
  /** Only look what would be deleted. */
  readonly plan?: boolean
  readonly now: Instant
  readonly clock: Pick<Clock, 'sleep'>
  readonly signal?: AbortSignal
  /** Told how many of the archive's rooms have been looked through. */
  readonly onProgress?: (progress: { readonly rooms: number; readonly of: number }) => void
}

/** What was deleted, or would be. */
export interface ErasureReport extends RoomErasure {
  /** Number of the erasure's record; absent for a plan. */
  readonly erasureId?: bigint
  /** Rooms that he attended, or that named him. */
  readonly rooms: number
  /** Rooms that he taught. */
  readonly taught: number
  /** Callbacks of which only event, time, app and room are left, whomever they named. */
  readonly callbacks: number
}

/**
 * Erases a member from the archive, for good. First it is recorded that he is to be erased, by a digest of his id: from
 * then on whoever archives leaves his records out. Then room by room, each in a transaction of its own, all that is his is
 * deleted: rows, what they were before, and the records in raw pages, as if LCIC had never sent them; figures of rooms
 * stay. Stopped in the middle, it is begun again with the same id, and goes on.
 *
 * Somebody who was redacting a page when the erasure was recorded may not have known of it. His statement is waited for,
 * and what it stored is then found like anything else.
 *
 * @throws {ArchiveError} `E_ERASURE_BLOCKED` if somebody has been writing for so long that it was not waited for
 * @throws the signal's reason once aborted
 */
export async function eraseMember(db: Kysely<Database>, options: EraseOptions): Promise<ErasureReport> {
  const { plan = false, now, signal } = options
  const member = memberOf(options)
  if (plan) {
    const taught = await countTaughtRooms(db, member)
    const callbacks = await reduceCallbacks(db, { plan })
    const found = await eraseFromRooms(db, member, options)
    return { ...found, taught, callbacks }
  }
  const erasure = await beginErasure(db, { ...member, userIds: member.trace.userIds, now })
  const { erasureId, scannedTo } = erasure
  for (const table of ['raw_pages', 'known_rooms', 'callbacks']) await awaitAllWriters(db, table, options)
  signal?.throwIfAborted()
  const known = await eraseTeacher(db, { table: 'known_rooms', ...member, now })
  // What is known of rooms is copied from one to the other.
  await awaitAllWriters(db, 'rooms', options)
  const archived = await eraseTeacher(db, { table: 'rooms', ...member, now })
  const taught = Math.max(known, archived)
  await countErasedRooms(db, { erasureId, rooms: archived })
  signal?.throwIfAborted()
  // Stryker disable next-line ObjectLiteral: it is no plan.
  const callbacks = await reduceCallbacks(db, { plan })
  const found = await eraseFromRooms(db, member, { ...options, erasureId, after: scannedTo ?? 0n })
  await finishErasure(db, { erasureId, now })
  return { erasureId, ...found, taught, callbacks }
}

function memberOf({ userId, sdkAppId, personalData }: EraseOptions): ErasedMember {
  const original = storedUserId(userId, undefined)
  const userIds = [...new Set([original, storedUserId(original, personalData)])]
  return {
    // Stryker disable next-line MethodExpression,ConditionalExpression,EqualityOperator: who looks closer leaves short ones alone.
    trace: { userIds, tellingIds: userIds.filter((id) => id.length >= LEAST_TELLING) },
    sdkAppId: sdkAppId ?? null,
  }
}

/** Rooms looked through by one statement: of a hundred pages each, that takes seconds. */
const ROOMS_AT_ONCE = 200

type Found = RoomErasure & { readonly rooms: number }

async function eraseFromRooms(
  db: Kysely<Database>,
  member: ErasedMember,
  {
    plan = false,
    now,
    signal,
    onProgress,
    erasureId,
    after = 0n,
  }: EraseOptions & { erasureId?: bigint; after?: bigint },
): Promise<Found> {
  const found = { rooms: 0, members: 0, history: 0, records: 0, mentions: 0 }
  const of = await countJobs(db)
  let rooms = 0
  for await (const range of roomRanges(db, { after, jobs: ROOMS_AT_ONCE })) {
    for (const roomId of await roomsWithTraces(db, { trace: member.trace, range })) {
      signal?.throwIfAborted()
      const erased = await eraseOne(roomId)
      if (!erased) continue
      found.rooms++
      found.members += erased.members
      found.history += erased.history
      found.records += erased.records
      found.mentions += erased.mentions
    }
    rooms += range.jobs
    // Stryker disable next-line ConditionalExpression: no record has no number.
    if (erasureId !== undefined) await saveErasureProgress(db, { erasureId, scannedTo: range.upTo })
    onProgress?.({ rooms, of })
    signal?.throwIfAborted()
  }
  return found

  async function eraseOne(roomId: bigint): Promise<RoomErasure | undefined> {
    return db.transaction().execute(async (tx) => {
      const erased = await eraseFromRoom(tx, roomId, { member, now, plan })
      // Stryker disable next-line ConditionalExpression: no record has no number.
      if (erased && erasureId !== undefined) await countErasedRooms(tx, { erasureId, rooms: 1 })
      return erased
    })
  }
}

/** How often a table's writers are waited for, a second or two each time. */
const TRIES = 60

async function awaitAllWriters(
  db: Kysely<Database>,
  table: string,
  { clock, signal }: Pick<EraseOptions, 'clock' | 'signal'>,
): Promise<void> {
  for (let tries = 1; !(await awaitWriters(db, table)); tries++) {
    if (tries === TRIES) {
      throw new ArchiveError(
        'E_ERASURE_BLOCKED',
        `Somebody keeps writing to archive.${table}, or vacuums it. The erasure is recorded, and not finished: run it again later.`,
      )
    }
    await clock.sleep(200, signal)
  }
}
