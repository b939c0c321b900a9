import type { Scenario } from './scenario'

/**
 * A day at a school, for a demo: forty-eight rooms, of which one is not ready at first, one overruns and is still in
 * class, one is answered for as if it did not exist, one expired unused, one was attended by nobody, and one is large.
 */
export const schoolDay: Scenario = {
  seed: 20_240,
  hours: 20,
  ordinaryRooms: 42,
  rooms: [
    { name: 'Assembly', members: 2500, roomType: 1, endedMinutesAgo: 180, minutes: 60 },
    { name: 'Statistics not ready at first', members: 28, endedMinutesAgo: 35, notReadyAnswers: 1 },
    { name: 'Overruns, still in class', members: 31, endedMinutesAgo: 30, overrunMinutes: 95 },
    { name: 'Answered for as missing', members: 12, endedMinutesAgo: 240, fate: 'missing' },
    { name: 'Expired unused', endedMinutesAgo: 300, fate: 'expired' },
    { name: 'Attended by nobody', members: 0, endedMinutesAgo: 400 },
  ],
}
