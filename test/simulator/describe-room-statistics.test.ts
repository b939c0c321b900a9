import { describe, expect, test } from 'vitest'
import { roomStatus, School, type SimulatedRecord } from '../../lib/simulator'
import { asId, codeOf, rawCall, sdkClient, withSimulator } from './client'

// A whole second, so that a test can stand exactly on a boundary.
const nowMs = Math.floor(Date.now() / 1000) * 1000
const nowSeconds = nowMs / 1000

test('gives the room and its records exactly as they are', async () => {
  const school = new School()
  const members: SimulatedRecord[] = [
    { UserId: 'a', UserName: 'NUL \u0000, "quotes", back\\slash, 👩‍🏫', SubGroupId: null, Stage: null },
    { UserId: 'b', Unheard: { of: [1, 2.5, null] }, FirstJoinTimestamp: 0, Device: 99 },
  ]
  const figures = { PeakMemberNumber: 1, MemberNumber: 2, MessageCount: 3, MicCount: 4 }
  const times = { realStartAt: nowSeconds - 5000, realEndAt: nowSeconds - 2000.5 }
  const room = school.addRoom({ members, figures, ...times })
  await withSimulator({ school }, async (simulator) => {
    const answer = await sdkClient(simulator).DescribeRoomStatistics({
      RoomId: asId(room.roomId),
      Page: 1,
      Limit: 1000,
    })
    expect(answer).toEqual({
      ...figures,
      Total: 2,
      RealStartTime: nowSeconds - 5000,
      RealEndTime: nowSeconds - 2001,
      MemberRecords: members,
      RequestId: simulator.requests[0]?.requestId,
    })
    expect(simulator.requests).toMatchObject([
      {
        sequence: 1,
        action: 'DescribeRoomStatistics',
        roomId: room.roomId,
        page: 1,
        limit: 1000,
        outcome: 'OK',
        records: 2,
      },
    ])
  })
})

test('figures can be overridden, with null too', async () => {
  const school = new School()
  const room = school.addRoom({ members: 5, figures: { Total: 7, RealStartTime: null, RealEndTime: null } })
  await withSimulator({ school }, async (simulator) => {
    const answer = await sdkClient(simulator).DescribeRoomStatistics({ RoomId: asId(room.roomId), Page: 1, Limit: 9 })
    expect(answer).toMatchObject({ Total: 7, RealStartTime: null, RealEndTime: null })
    expect(answer.MemberRecords).toHaveLength(5)
  })
})

test('pages cover every record once, and a page beyond the end is empty', async () => {
  const school = new School()
  const room = school.addRoom({ members: 2500 })
  await withSimulator({ school }, async (simulator) => {
    const client = sdkClient(simulator)
    const pages: string[][] = []
    for (const page of [1, 2, 3, 4]) {
      const answer = await client.DescribeRoomStatistics({ RoomId: asId(room.roomId), Page: page, Limit: 1000 })
      expect(answer.Total).toBe(2500)
      pages.push((answer.MemberRecords ?? []).map((record) => String(record.UserId)))
    }
    expect(pages.map((page) => page.length)).toEqual([1000, 1000, 500, 0])
    expect(pages.flat()).toEqual(room.members.map((record) => record.UserId))
  })
})

describe.each(['number', 'bigint'] as const)('a room id sent as %s', (kind) => {
  test.each([123n, 2n ** 31n + 1n, 2n ** 32n + 5n])('%d finds its room', async (roomId) => {
    const school = new School()
    school.addRoom({ roomId })
    await withSimulator({ school }, async (simulator) => {
      const id = kind === 'number' ? Number(roomId) : asId(roomId)
      expect(await codeOf(sdkClient(simulator).DescribeRoomStatistics({ RoomId: id, Page: 1, Limit: 1 }))).toBe('OK')
      expect(simulator.requests[0]?.roomId).toBe(roomId)
    })
  })
})

test('room ids above 2^53 are told apart', async () => {
  const school = new School()
  const roomId = 2n ** 53n + 1n
  school.addRoom({ roomId })
  await withSimulator({ school }, async (simulator) => {
    const client = sdkClient(simulator)
    const codeFor = (id: bigint) => codeOf(client.DescribeRoomStatistics({ RoomId: asId(id), Page: 1, Limit: 1 }))
    expect(await codeFor(roomId)).toBe('OK')
    expect(await codeFor(roomId - 1n)).toBe('ResourceNotFound.Room')
    expect(await codeFor(2n ** 64n - 1n)).toBe('ResourceNotFound.Room')
    expect(await codeFor(2n ** 64n)).toBe('InvalidParameter')
    expect(simulator.requests.map((entry) => entry.roomId)).toEqual([roomId, roomId - 1n, 2n ** 64n - 1n, 2n ** 64n])
  })
})

test.each([
  ['InvalidParameterValue', { Limit: 1001 }],
  ['InvalidParameterValue', { Limit: 0 }],
  ['InvalidParameterValue', { Page: 0 }],
  ['InvalidParameterValue', { Page: -1 }],
  ['InvalidParameter', { Page: 1.5 }],
  ['InvalidParameter', { Page: '1' }],
  ['InvalidParameter', { RoomId: '300000001' }],
  ['InvalidParameter', { RoomId: -1 }],
  ['InvalidParameter', { RoomId: 1e300 }],
  ['MissingParameter', { RoomId: undefined }],
  ['MissingParameter', { RoomId: null }],
  ['MissingParameter', { Page: undefined }],
  ['MissingParameter', { Limit: undefined }],
  ['UnknownParameter', { Offset: 0 }],
  ['ResourceNotFound.Room', { RoomId: 1 }],
])('answers %s to %j', async (code, change) => {
  const school = new School()
  const { roomId } = school.addRoom()
  await withSimulator({ school }, async (simulator) => {
    const body = JSON.stringify({ RoomId: Number(roomId), Page: 1, Limit: 1000, ...change })
    expect((await rawCall(simulator, { body })).code).toBe(code)
  })
})

describe('a room', () => {
  test('answers for where its class stands', async () => {
    const school = new School({ nowMs })
    const room = school.addRoom({
      scheduledStartAt: nowSeconds - 3600,
      scheduledEndAt: nowSeconds,
      realStartAt: nowSeconds - 3500,
      realEndAt: nowSeconds + 600,
      readyAt: nowSeconds + 660,
      notReadyAnswers: 1,
    })
    let now = nowMs
    const clocks = { clock: { now: () => now }, gatewayClock: { now: () => Date.now() } }
    await withSimulator({ school, ...clocks }, async (simulator) => {
      const client = sdkClient(simulator)
      const codeAfter = (seconds: number) => {
        now = nowMs + seconds * 1000
        return codeOf(client.DescribeRoomStatistics({ RoomId: asId(room.roomId), Page: 1, Limit: 1 }))
      }
      expect(await codeAfter(-4000)).toBe('FailedOperation.RoomNotEnd')
      expect(await codeAfter(0)).toBe('FailedOperation.RoomNotEnd')
      expect(await codeAfter(599)).toBe('FailedOperation.RoomNotEnd')
      expect(room.notReadyAnswers).toBe(1)
      expect(await codeAfter(600)).toBe('ResourceUnavailable.RoomStatistics')
      expect(room.notReadyAnswers).toBe(0)
      room.notReadyAnswers = 1
      expect(await codeAfter(700)).toBe('ResourceUnavailable.RoomStatistics')
      expect(await codeAfter(659)).toBe('ResourceUnavailable.RoomStatistics')
      expect(await codeAfter(660)).toBe('OK')
      room.realEndAt = null
      expect(await codeAfter(100_000)).toBe('FailedOperation.RoomNotEnd')
    })
  })

  test.each([
    ['ResourceNotFound.Room', { fate: 'missing' }],
    ['FailedOperation.ClassExpired', { fate: 'expired' }],
    ['FailedOperation.ClassExpired', { realStartAt: null, realEndAt: null }],
    ['FailedOperation.RoomNotEnd', { fate: 'expired', scheduledEndAt: nowSeconds + 3600 }],
  ] as const)('answers %s when it is %j', async (code, description) => {
    const school = new School()
    const room = school.addRoom(description)
    await withSimulator({ school }, async (simulator) => {
      const call = sdkClient(simulator).DescribeRoomStatistics({ RoomId: asId(room.roomId), Page: 1, Limit: 1 })
      expect(await codeOf(call)).toBe(code)
    })
  })
})

describe('a change in the test', () => {
  const namesIn = async (client: ReturnType<typeof sdkClient>, roomId: bigint) =>
    (await client.DescribeRoomStatistics({ RoomId: asId(roomId), Page: 1, Limit: 10 })).MemberRecords?.map(
      (record) => record.UserName,
    )

  test('shows in the next answer, also when a record is changed in place', async () => {
    const school = new School()
    const room = school.addRoom({ members: [{ UserId: 'a', UserName: 'before' }] })
    await withSimulator({ school }, async (simulator) => {
      const client = sdkClient(simulator)
      expect(await namesIn(client, room.roomId)).toEqual(['before'])
      for (const record of room.members) record.UserName = 'after'
      expect(await namesIn(client, room.roomId)).toEqual(['after'])
    })
  })

  test('shows for a frozen room when its records are replaced or more in number', async () => {
    const school = new School()
    const room = school.addRoom({ members: [{ UserId: 'a', UserName: 'one' }], frozen: true })
    await withSimulator({ school }, async (simulator) => {
      const client = sdkClient(simulator)
      expect(await namesIn(client, room.roomId)).toEqual(['one'])
      expect(await namesIn(client, room.roomId)).toEqual(['one'])
      room.members.push({ UserId: 'b', UserName: 'two' })
      expect(await namesIn(client, room.roomId)).toEqual(['one', 'two'])
      room.members = [{ UserId: 'a', UserName: 'new' }]
      expect(await namesIn(client, room.roomId)).toEqual(['new'])
    })
  })
})

test('the statuses are the ones of the API', () => {
  expect(roomStatus).toEqual({ notStarted: 0, inClass: 1, ended: 2, expired: 3 })
})
