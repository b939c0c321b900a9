import { School, type SimulatedRoom } from '../../lib/simulator'
import type { PlannedRoom } from './plan-rooms'

const CLASS_SECONDS = 45 * 60

/** The plan's school, as it stands when the round begins. */
export function openSchool(rooms: readonly PlannedRoom[], startMs: number): School {
  const school = new School({ nowMs: startMs })
  for (const { roomId, members, fate, endsAtMs, readyAfterMs, notReadyAnswers, listed } of rooms) {
    const endAt = Math.floor((startMs + endsAtMs) / 1000)
    school.addRoom({
      roomId,
      members,
      fate,
      notReadyAnswers,
      listed,
      scheduledStartAt: endAt - CLASS_SECONDS,
      scheduledEndAt: endAt,
      ...(fate !== 'expired' && { realEndAt: endAt, readyAt: endAt + readyAfterMs / 1000 }),
    })
  }
  return school
}

/**
 * A late correction of LCIC's: one member was there for longer than was said; and one more had come, or another had not.
 */
export function changeMembers(room: SimulatedRoom, { loses }: { readonly loses: boolean }): void {
  const [first, second, ...others] = room.members
  if (!first || !second) return
  const corrected = { ...first, PresentTime: (first.PresentTime ?? 0) + 60 }
  const late = { ...first, UserId: `late-${room.roomId}` }
  // In one step, so that no answer has half of it.
  room.members = loses ? [corrected, ...others] : [corrected, second, ...others, late]
}
