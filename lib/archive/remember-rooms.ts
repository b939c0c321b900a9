import { hintRooms, type RoomHint } from '../db/hint-rooms'
import { copyFacts, type KnownRoom, recordRooms } from '../db/known-rooms'
import { readErasures } from '../db/read-erasures'
import { storedUserId } from '../lcic/redact-text'
import { roomStatus } from '../lcic/rooms'
import type { ArchiveContext } from './context'

/**
 * Remembers what LCIC tells of rooms, and hints at those that have news, together. Rooms that are over are due at once;
 * planned ones, and those in class, when they are planned to end.
 *
 * @param listed whether GetRooms told it
 * @returns how many jobs are new
 */
export async function rememberRooms(
  { db, now, policy }: Pick<ArchiveContext, 'db' | 'now' | 'policy'>,
  given: readonly KnownRoom[],
  { listed }: { listed: boolean },
): Promise<number> {
  const rooms = await Promise.all(
    given.map(async (room) => {
      const { roomId, teacherId } = room
      return teacherId ? { ...room, teacherId: await storedTeacher(teacherId, roomId, { db, policy }) } : room
    }),
  )
  const told = new Map(rooms.map((room) => [room.roomId, room]))
  const newJobs = await db.transaction().execute(async (tx) => {
    const news = await recordRooms(tx, { rooms, listed, now: now() })
    const hints = [...told.values()].filter(({ roomId }) => news.includes(roomId)).map(hintOf)
    // Stryker disable next-line ConditionalExpression: nothing would be hinted at, by one more statement.
    return hints.length === 0 ? 0 : hintRooms(tx, { hints, hintedBy: 'sweep', now: now() })
  })
  await copyFacts(db, [...told.keys()])
  return newJobs
}

/** Whether the class has ended, or the room expired without one. */
export function isOver({ status }: Pick<KnownRoom, 'status'>): boolean {
  return status === roomStatus.ended || status === roomStatus.expired
}

/** The id under which member records have the teacher; none if he was erased. */
async function storedTeacher(
  teacherId: string,
  roomId: bigint,
  { db, policy: { personalData } }: Pick<ArchiveContext, 'db' | 'policy'>,
): Promise<string> {
  const original = storedUserId(teacherId, undefined)
  // A pseudonym does not tell the statement that stores it who was erased before there were pseudonyms.
  // Stryker disable next-line ConditionalExpression: of others the statement finds out itself.
  const isErased = personalData !== undefined && (await readErasures(db, roomId)).isErased(original)
  return isErased ? '' : storedUserId(original, personalData)
}

function hintOf(room: KnownRoom): RoomHint {
  const { roomId, sdkAppId = null, realEndTime, scheduledEndTime } = room
  const plannedEndAt = dateOf(scheduledEndTime)
  if (isOver(room)) return { roomId, sdkAppId, endedAt: dateOf(realEndTime), plannedEndAt }
  return { roomId, sdkAppId, plannedEndAt, notBefore: plannedEndAt }
}

function dateOf(seconds: number | null | undefined): Date | null {
  return typeof seconds === 'number' ? new Date(seconds * 1000) : null
}
