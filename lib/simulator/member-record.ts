import type { Person } from './people'
import type { Random } from './random'

/**
 * A member's record exactly as the wire carries it, in Tencent's own field names. Any statistic may be absent or null,
 * and unknown fields travel as they are.
 */
export interface SimulatedRecord {
  UserId: string
  UserName?: string | null
  /** Seconds online. */
  PresentTime?: number | null
  Camera?: number | null
  Mic?: number | null
  Silence?: number | null
  AnswerQuestions?: number | null
  HandUps?: number | null
  /** Unix seconds; 0 for someone who never came. */
  FirstJoinTimestamp?: number | null
  /** Unix seconds; 0 for someone who never came. */
  LastQuitTimestamp?: number | null
  Rewords?: number | null
  IPAddress?: string | null
  Location?: string | null
  Device?: number | null
  PerMemberMicCount?: number | null
  PerMemberMessageCount?: number | null
  Role?: number | null
  GroupId?: string | null
  SubGroupId?: string[] | null
  Stage?: number | null
  CurrentState?: number | null
  [unknown: string]: unknown
}

/** The API's roles. */
export const memberRole = { student: 0, teacher: 1, assistant: 2, supervisor: 3 } as const

/** When a class was held. */
export interface ClassHours {
  /** When the class began, Unix seconds. */
  startAt: number
  /** When the class ended, Unix seconds. */
  endAt: number
}

/** The record of someone who should have come and did not. */
export function absentee({ userId, name }: Person, role: number): SimulatedRecord {
  return {
    UserId: userId,
    UserName: name,
    PresentTime: 0,
    Camera: 0,
    Mic: 0,
    Silence: 0,
    AnswerQuestions: 0,
    HandUps: 0,
    FirstJoinTimestamp: 0,
    LastQuitTimestamp: 0,
    Rewords: 0,
    IPAddress: '',
    Location: '',
    Device: 0,
    PerMemberMicCount: 0,
    PerMemberMessageCount: 0,
    Role: role,
    GroupId: '',
    SubGroupId: null,
    Stage: null,
    CurrentState: 0,
  }
}

/** The record of someone who came. */
export function attendee({ userId, name }: Person, role: number, hours: ClassHours, random: Random): SimulatedRecord {
  const { joinAt, quitAt, presentSeconds } = attendance(role, hours, random)
  const onStage = role === memberRole.teacher || random.chance(0.3)
  const kicked = role === memberRole.student && random.chance(0.01)
  const { ip, place } = whereabouts(random)
  return {
    UserId: userId,
    UserName: name,
    PresentTime: presentSeconds,
    Camera: Number(onStage && random.chance(0.8)),
    Mic: Number(onStage),
    Silence: Number(role === memberRole.student && random.chance(0.1)),
    AnswerQuestions: role === memberRole.student ? random.int(0, 5) : 0,
    HandUps: role === memberRole.student ? random.int(0, 8) : 0,
    FirstJoinTimestamp: joinAt,
    LastQuitTimestamp: quitAt,
    Rewords: role === memberRole.student && random.chance(0.4) ? random.int(1, 6) : 0,
    IPAddress: ip,
    Location: place,
    Device: random.pick(devices),
    PerMemberMicCount: onStage ? random.int(1, 5) : 0,
    PerMemberMessageCount: random.chance(0.6) ? random.int(1, 30) : 0,
    Role: role,
    GroupId: random.chance(0.7) ? `class-${random.int(1, 12)}` : '',
    SubGroupId: random.chance(0.15) ? [`table-${random.int(1, 6)}`, `team-${random.int(1, 3)}`] : null,
    Stage: random.chance(0.1) ? null : Number(onStage),
    CurrentState: kicked ? random.pick([3, 4]) : random.chance(0.02) ? 5 : 2,
  }
}

function attendance(role: number, { startAt, endAt }: ClassHours, random: Random) {
  const length = Math.max(0, endAt - startAt)
  const share = (least: number, most: number) => Math.floor((least + random.next() * (most - least)) * length)
  const late = role === memberRole.student && random.chance(0.15)
  const early = role === memberRole.student && random.chance(0.1)
  // Many open the class a few minutes before it starts.
  const joinAt = late ? startAt + share(0.05, 0.7) : startAt - random.int(0, 300)
  const quitAt = early ? startAt + share(0.55, 0.95) : endAt - share(0, 0.02)
  const rejoined = random.chance(0.2)
  const presentSeconds = Math.max(0, quitAt - joinAt - (rejoined ? share(0.02, 0.3) : 0))
  return { joinAt, quitAt: Math.max(joinAt, quitAt), presentSeconds }
}

function whereabouts(random: Random): { ip: string; place: string } {
  const draw = random.next()
  if (draw < 0.05) return { ip: '', place: '' }
  const place = random.pick(places)
  if (draw < 0.2) return { ip: `2001:db8:${hex(random)}::${hex(random)}`, place }
  return { ip: `${random.pick(documentationNetworks)}.${random.int(1, 254)}`, place }
}

const hex = (random: Random) => random.int(1, 0xffff).toString(16)

const documentationNetworks = ['192.0.2', '198.51.100', '203.0.113']
const places = ['中国广东省深圳市', '中国上海市', 'España, Málaga', 'Україна, Київ', 'مصر', 'Unknown', '']
const devices = [1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7]

/** The record as it is or, for a few, in another shape: some are older than the API's newest fields, some younger than any documentation. */
export function inShapeOfItsTime(record: SimulatedRecord, random: Random): SimulatedRecord {
  const draw = random.next()
  if (draw < 0.03) {
    const { PerMemberMicCount, PerMemberMessageCount, Role, GroupId, SubGroupId, Stage, CurrentState, ...of2022 } =
      record
    return of2022
  }
  if (draw < 0.05) return { ...record, AttentionScore: random.int(0, 100) }
  if (draw < 0.07) return { ...record, Network: { Rtt: random.int(5, 400), Loss: random.int(0, 20) / 100 } }
  return record
}
