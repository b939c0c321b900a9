import { describe, expect, test } from 'vitest'
import {
  generateMembers,
  generateSchool,
  memberRole,
  School,
  type SimulatedRecord,
  statusOf,
} from '../../lib/simulator'

const startAt = 1_715_940_000
const endAt = startAt + 45 * 60
const drawn = (count: number, seed = 1) => generateMembers({ seed, count, startAt, endAt })
const idsOf = (members: readonly SimulatedRecord[]) => members.map((member) => member.UserId)

describe('generateMembers', () => {
  test.each([0, 1, 2, 3, 29, 1000, 5003, 5004, 100_000])('draws %d records of as many users', (count) => {
    expect(new Set(idsOf(drawn(count))).size).toBe(count)
  })

  test('is the same for the same seed and another for another', () => {
    expect(drawn(300)).toEqual(drawn(300))
    expect(drawn(300)).not.toEqual(drawn(300, 2))
  })

  test('is fast enough for the largest class', () => {
    const startedAt = performance.now()
    drawn(100_000)
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  test('has one teacher, and the staff it is told', () => {
    const roles = drawn(40).map((member) => member.Role)
    expect(roles.filter((role) => role === memberRole.teacher)).toHaveLength(1)
    const told = generateMembers({ seed: 1, count: 4, startAt, endAt, teacherId: 'T', assistantIds: ['A', 'B'] })
    expect(idsOf(told).slice(0, 3)).toEqual(['T', 'A', 'B'])
  })

  test('a student has the same name in every class', () => {
    const nameOf = new Map(drawn(4000).map((member) => [member.UserId, member.UserName]))
    const again = drawn(4000, 2).filter((member) => nameOf.has(member.UserId))
    expect(again.length).toBeGreaterThan(1000)
    for (const member of again) expect(member.UserName).toBe(nameOf.get(member.UserId))
  })

  test('looks like life', () => {
    const members = drawn(3000)
    const share = (holds: (member: SimulatedRecord) => boolean) => members.filter(holds).length / members.length
    const came = (member: SimulatedRecord) => Boolean(member.FirstJoinTimestamp)
    expect(share((member) => !came(member))).toBeGreaterThan(0.04)
    expect(share((member) => came(member) && Number(member.FirstJoinTimestamp) > startAt + 120)).toBeGreaterThan(0.05)
    expect(share((member) => came(member) && Number(member.LastQuitTimestamp) < endAt - 120)).toBeGreaterThan(0.04)
    for (const state of [0, 2, 3, 4, 5]) expect(share((member) => member.CurrentState === state)).toBeGreaterThan(0)
    for (const device of [0, 1, 2, 3, 4, 5, 6, 7])
      expect(share((member) => member.Device === device)).toBeGreaterThan(0)
    expect(share((member) => !('CurrentState' in member))).toBeGreaterThan(0)
    expect(share((member) => 'AttentionScore' in member)).toBeGreaterThan(0)
    expect(share((member) => 'Network' in member)).toBeGreaterThan(0)
    expect(share((member) => Array.isArray(member.SubGroupId))).toBeGreaterThan(0)
    expect(share((member) => member.Stage === null && came(member))).toBeGreaterThan(0)
    const names = members.map((member) => member.UserName ?? '').join('\n')
    for (const script of [
      /\p{Script=Han}/u,
      /\p{Script=Arabic}/u,
      /\p{Script=Cyrillic}/u,
      /\p{Emoji}/u,
      /é/,
      /"/,
      /\\/,
    ]) {
      expect(names).toMatch(script)
    }
    expect(share((member) => member.UserName === '')).toBeGreaterThan(0)
  })

  test('addresses come from the ranges for documentation', () => {
    const addresses = drawn(2000).map((member) => member.IPAddress ?? '')
    const documentation = /^$|^192\.0\.2\.|^198\.51\.100\.|^203\.0\.113\.|^2001:db8:/
    expect(addresses.filter((address) => !documentation.test(address))).toEqual([])
    expect(addresses.some((address) => address.includes(':'))).toBe(true)
    expect(addresses).toContain('')
  })

  test('nobody is present for longer than from the first join to the last quit', () => {
    for (const member of drawn(2000)) {
      const { PresentTime, FirstJoinTimestamp, LastQuitTimestamp } = member
      expect(Number(PresentTime)).toBeGreaterThanOrEqual(0)
      expect(Number(PresentTime)).toBeLessThanOrEqual(Number(LastQuitTimestamp) - Number(FirstJoinTimestamp))
    }
  })
})

describe('generateSchool', () => {
  const from = Date.parse('2024-05-13T00:00:00Z')
  const rooms = [...generateSchool({ seed: 3, rooms: 300, from, days: 5 }).rooms.values()]

  test('is the same for the same seed', () => {
    const again = [...generateSchool({ seed: 3, rooms: 300, from: new Date(from), days: 5 }).rooms.values()]
    expect(again.slice(0, 40).map((room) => ({ ...room }))).toEqual(rooms.slice(0, 40).map((room) => ({ ...room })))
    expect([...generateSchool({ seed: 4, rooms: 300, from }).rooms.keys()]).not.toEqual(
      rooms.map((room) => room.roomId),
    )
  })

  test('has ids below 31, above 31 and above 32 bits', () => {
    expect(new Set(rooms.map((room) => room.roomId)).size).toBe(300)
    expect(rooms.some((room) => room.roomId < 2n ** 31n)).toBe(true)
    expect(rooms.some((room) => room.roomId > 2n ** 31n && room.roomId < 2n ** 32n)).toBe(true)
    expect(rooms.some((room) => room.roomId > 2n ** 32n)).toBe(true)
  })

  test('schedules every class within its days', () => {
    const starts = rooms.map((room) => room.scheduledStartAt * 1000)
    expect(Math.min(...starts)).toBeGreaterThanOrEqual(from)
    expect(Math.max(...starts)).toBeLessThan(from + 5 * 86_400_000)
    for (const room of rooms) expect(Number(room.realEndAt)).toBeGreaterThan(Number(room.realStartAt))
  })

  test('has rooms of many sizes, or of the sizes it is told', () => {
    const sizes = rooms.map((room) => room.members.length)
    expect(Math.min(...sizes)).toBe(0)
    expect(Math.max(...sizes)).toBeGreaterThan(1000)
    const told = generateSchool({ seed: 3, rooms: 4, from, sizes: [1, 20] })
    expect([...told.rooms.values()].map((room) => room.members.length)).toEqual([1, 20, 1, 20])
  })

  test("a room's figures and staff agree with its records", () => {
    for (const room of rooms.slice(0, 60)) {
      const { figures, members } = room
      expect(figures.MemberNumber).toBe(members.filter((member) => member.FirstJoinTimestamp).length)
      expect(figures.PeakMemberNumber).toBeLessThanOrEqual(figures.MemberNumber)
      expect(figures.PeakMemberNumber).toBeGreaterThanOrEqual(Math.min(1, figures.MemberNumber))
      if (members.length > 0) expect(members[0]?.UserId).toBe(room.teacherId)
      expect(idsOf(members)).toEqual(expect.arrayContaining(room.assistants))
    }
  })

  test('takes no second room of the same id', () => {
    const school = generateSchool({ seed: 3, rooms: 1, from })
    const [roomId = 0n] = school.rooms.keys()
    expect(() => school.addRoom({ roomId })).toThrow(`There is a room ${roomId} already`)
  })
})

describe('a room of which nothing is said', () => {
  const nowMs = Date.parse('2024-05-17T12:00:00Z')
  const nowSeconds = nowMs / 1000

  test('was held for 45 minutes, ended half an hour ago, is ready, and was attended by nobody', () => {
    const room = new School({ nowMs, sdkAppId: 7 }).addRoom()
    expect(room).toMatchObject({
      sdkAppId: 7,
      scheduledStartAt: nowSeconds - 75 * 60,
      scheduledEndAt: nowSeconds - 30 * 60,
      realStartAt: nowSeconds - 75 * 60,
      realEndAt: nowSeconds - 30 * 60,
      readyAt: nowSeconds - 30 * 60,
      fate: 'held',
      members: [],
      figures: { PeakMemberNumber: 0, MemberNumber: 0, MessageCount: 0, MicCount: 0 },
    })
    expect(statusOf(room, nowSeconds)).toBe(2)
  })

  test('follows from what is said', () => {
    const school = new School({ nowMs })
    expect(school.addRoom({ scheduledStartAt: 1000 })).toMatchObject({ scheduledEndAt: 1000 + 2700, realEndAt: 3700 })
    expect(school.addRoom({ scheduledEndAt: 9000 })).toMatchObject({ scheduledStartAt: 9000 - 2700, readyAt: 9000 })
    expect(school.addRoom({ fate: 'expired' })).toMatchObject({ realStartAt: null, realEndAt: null })
    const withMembers = school.addRoom({ members: 30, figures: { MicCount: 5 } })
    expect(withMembers.figures).toMatchObject({ MicCount: 5, MemberNumber: expect.any(Number) })
    expect(withMembers.members).toHaveLength(30)
  })

  test('can be given members and figures later', () => {
    const room = new School({ nowMs }).addRoom({ members: 30 })
    room.members = [{ UserId: 'only' }]
    room.figures = { ...room.figures, MessageCount: 9 }
    expect({ ...room }).toMatchObject({ members: [{ UserId: 'only' }], figures: { MemberNumber: 0, MessageCount: 9 } })
  })
})
