import {
  absentee,
  attendee,
  type ClassHours,
  inShapeOfItsTime,
  memberRole,
  type SimulatedRecord,
} from './member-record'
import { type Person, staff, staffId, student } from './people'
import { type Random, randomFrom } from './random'

/** What {@link generateMembers} draws. */
export interface MembersOptions extends ClassHours {
  seed: number
  /** How many records, from 0. */
  count: number
  /** The teacher's user id; drawn when absent. */
  teacherId?: string
  /** The assistants' user ids; one is drawn for a class of twelve or more when absent. */
  assistantIds?: readonly string[]
}

/**
 * Draws the records of one class: a teacher, an assistant and a supervisor where there is room for them, and students of
 * whom some come late, leave early, drop out and come back, are kicked, or never come. Names are invented, addresses come
 * from the ranges reserved for documentation. User ids are unique; the same options always give the same records.
 */
export function generateMembers(options: MembersOptions): SimulatedRecord[] {
  const random = randomFrom('members', options.seed)
  const people = roll(options, random)
  return people.map(({ person, role }) => {
    const absent = role === memberRole.student && random.chance(0.08)
    return inShapeOfItsTime(absent ? absentee(person, role) : attendee(person, role, options, random), random)
  })
}

/** A prime, so that any stride visits every student of the roll once before it meets the first one again. */
const rollLength = 5003

function roll(options: MembersOptions, random: Random): { person: Person; role: number }[] {
  const { count } = options
  const teacherId = options.teacherId ?? staffId('teacher', random.int(1, 60))
  const assistantIds = options.assistantIds ?? (count >= 12 ? [staffId('assistant', random.int(1, 40))] : [])
  const supervisorIds = count >= 30 && random.chance(0.3) ? [staffId('supervisor', random.int(1, 9))] : []
  const people = [
    { person: staff(teacherId), role: memberRole.teacher as number },
    ...assistantIds.map((userId) => ({ person: staff(userId), role: memberRole.assistant })),
    ...supervisorIds.map((userId) => ({ person: staff(userId), role: memberRole.supervisor })),
  ].slice(0, count)
  const length = Math.max(rollLength, count)
  const stride = length === rollLength ? random.int(1, rollLength - 1) : 1
  let number = random.int(0, length - 1)
  while (people.length < count) {
    people.push({ person: student(number), role: memberRole.student })
    number = (number + stride) % length
  }
  return people
}
