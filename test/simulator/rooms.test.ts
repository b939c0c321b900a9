import { describe, expect, test } from 'vitest'
import { School, type SimulatorOptions } from '../../lib/simulator'
import { asId, codeOf, rawCall, sdkClient, withSimulator } from './client'

const now = Math.floor(Date.now() / 1000)
const hour = 3600

/** One room for each status, and one each that is of another app, unlisted, and long ago. */
function school() {
  const rooms = new School()
  const at = (startsInHours: number) => ({
    scheduledStartAt: now + startsInHours * hour,
    scheduledEndAt: now + (startsInHours + 1) * hour,
  })
  rooms.addRoom({ roomId: 1n, name: 'not started', ...at(2) })
  rooms.addRoom({ roomId: 2n, name: 'in class', ...at(-0.2) })
  rooms.addRoom({ roomId: 3n, name: 'overruns', ...at(-2), realEndAt: null })
  rooms.addRoom({ roomId: 4n, name: 'ended', ...at(-3), realStartAt: now - 2.9 * hour, realEndAt: now - 1.8 * hour })
  rooms.addRoom({ roomId: 5n, name: 'expired', fate: 'expired', ...at(-4) })
  rooms.addRoom({ roomId: 6n, name: 'missing', fate: 'missing', ...at(-5) })
  rooms.addRoom({ roomId: 7n, name: 'of another app', sdkAppId: 77, ...at(-1.5) })
  rooms.addRoom({ roomId: 8n, name: 'unlisted', listed: false, ...at(-1.5) })
  rooms.addRoom({ roomId: 2n ** 33n, name: 'long ago', ...at(-240), roomType: 1 })
  return rooms
}

const day = { StartTime: now - 24 * hour, EndTime: now + 24 * hour }

async function roomIds(change: object, options: Partial<SimulatorOptions> = {}) {
  const ids: (number | undefined)[] = []
  const rooms = school()
  await withSimulator({ school: rooms, ...options }, async (simulator) => {
    const answer = await sdkClient(simulator).GetRooms({ SdkAppId: rooms.sdkAppId, Limit: 100, ...change })
    expect(answer.Total).toBeGreaterThanOrEqual(answer.Rooms?.length ?? 0)
    ids.push(...(answer.Rooms ?? []).map((room) => room.RoomId))
  })
  return ids
}

describe('GetRooms', () => {
  test.each([
    ['the hour around now by default', {}, [2]],
    ['a window by scheduled time, whatever overran', { StartTime: now - 0.9 * hour, EndTime: now }, [2]],
    ['all that overlaps a window', { StartTime: now - 2.5 * hour, EndTime: now - 1.5 * hour }, [4, 3]],
    ['a whole day in order of time', day, [6, 5, 4, 3, 2, 1]],
    ['one app', { ...day, SdkAppId: 77 }, [7]],
    ['nothing for an unknown app', { ...day, SdkAppId: 78 }, []],
    ['rooms that have not started', { ...day, Status: [0] }, [1]],
    ['rooms in class', { ...day, Status: [1] }, [3, 2]],
    ['rooms that ended', { ...day, Status: [2] }, [6, 4]],
    ['rooms that expired', { ...day, Status: [3] }, [5]],
    ['several statuses', { ...day, Status: [0, 3] }, [5, 1]],
    ['every status when none is named', { ...day, Status: [] }, [6, 5, 4, 3, 2, 1]],
    ['none of an unheard-of status', { ...day, Status: [9] }, []],
    ['the second page', { ...day, Page: 2, Limit: 4 }, [2, 1]],
    ['nothing beyond the last page', { ...day, Page: 3, Limit: 4 }, []],
  ])('lists %s', async (_what, change, expected) => {
    expect(await roomIds(change)).toEqual(expected)
  })

  test('lists by real time where told so', async () => {
    const window = { StartTime: now - 0.9 * hour, EndTime: now - 0.5 * hour }
    expect(await roomIds(window)).toEqual([])
    expect(await roomIds(window, { roomsWindow: 'real' })).toEqual([3])
  })

  test('gives ten rooms unless told otherwise', async () => {
    const rooms = new School()
    for (let count = 0; count < 12; count += 1) rooms.addRoom()
    await withSimulator({ school: rooms }, async (simulator) => {
      const answer = await sdkClient(simulator).GetRooms({ SdkAppId: rooms.sdkAppId, ...day })
      expect(answer).toMatchObject({ Total: 12 })
      expect(answer.Rooms).toHaveLength(10)
    })
  })

  test('tells real times only once they have come', async () => {
    const rooms = school()
    await withSimulator({ school: rooms }, async (simulator) => {
      const { Rooms = [] } = await sdkClient(simulator).GetRooms({ SdkAppId: rooms.sdkAppId, Limit: 100, ...day })
      const byId = new Map(Rooms.map((room) => [room.RoomId, room]))
      expect(byId.get(1)).toMatchObject({ Status: 0, RealStartTime: 0, RealEndTime: 0, RecordUrl: '' })
      expect(byId.get(3)).toMatchObject({ Status: 1, RealStartTime: now - 2 * hour, RealEndTime: 0 })
      expect(byId.get(4)).toMatchObject({
        Name: 'ended',
        Status: 2,
        StartTime: now - 3 * hour,
        EndTime: now - 2 * hour,
        RealStartTime: now - 2.9 * hour,
        RealEndTime: now - 1.8 * hour,
        RoomType: 0,
      })
      expect(byId.get(5)).toMatchObject({ Status: 3, RealStartTime: 0, RealEndTime: 0 })
    })
  })

  test('writes every digit of a room id', async () => {
    const rooms = new School()
    rooms.addRoom({ roomId: 2n ** 53n + 1n })
    await withSimulator({ school: rooms }, async (simulator) => {
      const body = JSON.stringify({ SdkAppId: rooms.sdkAppId, ...day })
      expect((await rawCall(simulator, { action: 'GetRooms', body })).text).toContain('"RoomId":9007199254740993,')
    })
  })

  test.each([
    ['MissingParameter', { SdkAppId: undefined }],
    ['InvalidParameterValue', { Limit: 101 }],
    ['InvalidParameterValue', { Limit: 0 }],
    ['InvalidParameterValue', { Page: 0 }],
    ['InvalidParameterValue', { StartTime: -1 }],
    ['InvalidParameter.EndTime', { StartTime: now, EndTime: now - 1 }],
    ['InvalidParameter', { Status: 2 }],
    ['InvalidParameter', { Status: ['2'] }],
    ['InvalidParameter', { SdkAppId: 'x' }],
    ['UnknownParameter', { RoomId: 1 }],
  ])('answers %s to %j', async (code, change) => {
    await withSimulator({ school: new School() }, async (simulator) => {
      const body = JSON.stringify({ SdkAppId: 1, ...change })
      expect((await rawCall(simulator, { action: 'GetRooms', body })).code).toBe(code)
    })
  })
})

describe('DescribeRoom', () => {
  test('tells what was planned, and no real times', async () => {
    const rooms = new School()
    const room = rooms.addRoom({ teacherId: 't', assistants: ['a', 'b'], name: 'Math', roomType: 3 })
    await withSimulator({ school: rooms }, async (simulator) => {
      const answer = await sdkClient(simulator).DescribeRoom({ RoomId: asId(room.roomId) })
      expect(answer).toMatchObject({
        Name: 'Math',
        TeacherId: 't',
        Assistants: ['a', 'b'],
        SdkAppId: rooms.sdkAppId,
        StartTime: room.scheduledStartAt,
        EndTime: room.scheduledEndAt,
        RoomType: 3,
        Status: 2,
      })
      expect(Object.keys(answer).filter((name) => name.startsWith('Real'))).toEqual([])
    })
  })

  test('knows no unknown and no missing room, but an expired one', async () => {
    const rooms = school()
    await withSimulator({ school: rooms }, async (simulator) => {
      const client = sdkClient(simulator)
      expect(await codeOf(client.DescribeRoom({ RoomId: 404 }))).toBe('ResourceNotFound.Room')
      expect(await codeOf(client.DescribeRoom({ RoomId: 6 }))).toBe('ResourceNotFound.Room')
      expect(await client.DescribeRoom({ RoomId: 5 })).toMatchObject({ Status: 3 })
    })
  })
})
