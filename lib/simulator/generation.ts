import { staffId } from './people'
import { type Random, randomFrom } from './random'
import { type RoomDescription, School } from './school'

/** What {@link generateSchool} draws. */
export interface SchoolPlan {
  seed: number
  /** How many rooms. */
  rooms: number
  /** When the first class may start: a Date, or milliseconds since the Unix epoch. */
  from: Date | number
  /** Over how many days, fractions allowed, the classes start; 1 by default. */
  days?: number
  sdkAppId?: number
  /** The numbers of records, dealt out in turn; drawn when absent: some one-to-one, mostly small, a few large. */
  sizes?: readonly number[]
  /** Seconds from a class's end until its statistics are ready; 60 by default. */
  readyAfterSeconds?: number
}

/**
 * Draws a school whose classes look like life: sizes, subjects, overruns, room ids beyond 31 and 32 bits. All of them
 * were held, so that every one can be archived; change a room's fate where a test needs another. Records are drawn when
 * a room is first asked for. The same plan always gives the same school.
 */
export function generateSchool(plan: SchoolPlan): School {
  const fromSeconds = Math.floor(Number(plan.from) / 1000)
  const school = new School({
    nowMs: (fromSeconds + daySeconds * (plan.days ?? 1)) * 1000,
    ...(plan.sdkAppId !== undefined && { sdkAppId: plan.sdkAppId }),
  })
  for (let index = 0; index < plan.rooms; index += 1) school.addRoom(drawRoom(plan, index, fromSeconds))
  return school
}

const daySeconds = 86_400
const quarterHour = 15 * 60

function drawRoom(plan: SchoolPlan, index: number, fromSeconds: number): RoomDescription {
  const random = randomFrom('room', plan.seed, index)
  const { sizes } = plan
  const size = sizes?.length ? (sizes[index % sizes.length] ?? 0) : drawSize(random)
  const slots = Math.max(0, Math.floor(((plan.days ?? 1) * daySeconds) / quarterHour) - 1)
  const scheduledStartAt = fromSeconds + random.int(0, slots) * quarterHour
  const scheduledEndAt = scheduledStartAt + random.pick([30, 45, 45, 60, 90]) * 60
  const realStartAt = scheduledStartAt + random.int(-120, 240)
  const realEndAt = scheduledEndAt + (random.chance(0.1) ? random.int(600, 2400) : random.int(-60, 300))
  return {
    roomId: drawRoomId(random, index),
    name: `${random.pick(subjects)} ${random.int(1, 12)}-${random.int(1, 4)}`,
    teacherId: staffId('teacher', random.int(1, 60)),
    assistants: size >= 12 ? [staffId('assistant', random.int(1, 40))] : [],
    roomType: size <= 2 ? 2 : size > 100 ? 1 : random.chance(0.1) ? 3 : 0,
    scheduledStartAt,
    scheduledEndAt,
    realStartAt,
    realEndAt,
    readyAt: realEndAt + (plan.readyAfterSeconds ?? 60),
    members: size,
  }
}

function drawSize(random: Random): number {
  const draw = random.next()
  if (draw < 0.03) return 0
  if (draw < 0.2) return 2
  if (draw < 0.85) return random.int(5, 45)
  if (draw < 0.97) return random.int(60, 400)
  return random.int(1000, 1800)
}

/** Ids grow with the index, as a counter's do; the widths make sure that no consumer gets away with 32 bits. */
function drawRoomId(random: Random, index: number): bigint {
  const draw = random.next()
  const base = draw < 0.1 ? 5_000_000_000n : draw < 0.35 ? 2_500_000_000n : 310_000_000n
  return base + BigInt(index) * 97n
}

const subjects = ['数学', '英语', 'Physics', 'Español', 'История', 'الرياضيات', 'Chemistry 🧪', 'Kunst "frei"', '编程']
