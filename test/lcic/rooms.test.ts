import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLcic, type Lcic } from '../../lib/lcic/client'
import { SourceError } from '../../lib/lcic/errors'
import { readRoomDescription, readRoomsPage } from '../../lib/lcic/rooms'
import { School, type Simulator, startSimulator } from '../../lib/simulator'

const app = 1400000001n
/** The largest id that fits PostgreSQL's bigint; JavaScript's numbers would round it. */
const largest = 2n ** 63n - 1n

describe('through the SDK', () => {
  const now = Math.floor(Date.now() / 1000)
  const hour = 3600
  const day = { sdkAppId: app, from: now - 24 * hour, to: now + 24 * hour }
  let simulator: Simulator
  let lcic: Lcic
  beforeAll(async () => {
    simulator = await startSimulator({ school: new School(), requestsPerSecond: 0 })
    lcic = createLcic({ endpoint: new URL(simulator.endpoint), credentials: () => simulator.credentials })
    const { school } = simulator
    school.addRoom({
      roomId: largest,
      name: '代数 📐',
      roomType: 3,
      teacherId: 'teacher-7',
      scheduledStartAt: now - 3 * hour,
      scheduledEndAt: now - 2 * hour,
      realStartAt: now - 3 * hour + 61,
      realEndAt: now - 2 * hour + 62,
    })
    school.addRoom({ roomId: 2n ** 53n + 1n, scheduledStartAt: now + hour, scheduledEndAt: now + 2 * hour })
    school.addRoom({ roomId: 7n, sdkAppId: 77 })
  })
  afterAll(async () => {
    lcic?.close()
    await simulator?.close()
  })

  test('a list has every field of its rooms, every digit of their ids, and no real times that have not come', async () => {
    const page = await lcic.getRooms(day, 1)
    expect(page).toEqual({
      requestId: simulator.requests.at(-1)?.requestId,
      total: 2,
      count: 2,
      rooms: [
        {
          roomId: largest,
          sdkAppId: app,
          status: 2,
          name: '代数 📐',
          roomType: 3,
          scheduledStartTime: now - 3 * hour,
          scheduledEndTime: now - 2 * hour,
          realStartTime: now - 3 * hour + 61,
          realEndTime: now - 2 * hour + 62,
        },
        {
          roomId: 2n ** 53n + 1n,
          sdkAppId: app,
          status: 0,
          name: `Class ${2n ** 53n + 1n}`,
          roomType: 0,
          scheduledStartTime: now + hour,
          scheduledEndTime: now + 2 * hour,
          realStartTime: null,
          realEndTime: null,
        },
      ],
    })
  })

  test('a list is asked for with its app, its window and the most rooms a page may have', async () => {
    await lcic.getRooms(day, 2)
    expect(simulator.requests.at(-1)).toMatchObject({ action: 'GetRooms', page: 2, limit: 100, records: 0 })
    const { rooms } = await lcic.getRooms({ ...day, sdkAppId: 77n }, 1)
    expect(rooms).toEqual([expect.objectContaining({ roomId: 7n, sdkAppId: 77n })])
    expect(await lcic.getRooms({ ...day, to: now - 12 * hour }, 1)).toMatchObject({ total: 0, count: 0, rooms: [] })
  })

  test('a description has every field, also of a room whose id is above 2^53', async () => {
    expect(await lcic.describeRoom(largest)).toEqual({
      requestId: simulator.requests.at(-1)?.requestId,
      sdkAppId: app,
      status: 2,
      name: '代数 📐',
      roomType: 3,
      teacherId: 'teacher-7',
      scheduledStartTime: now - 3 * hour,
      scheduledEndTime: now - 2 * hour,
    })
    expect(simulator.requests.at(-1)).toMatchObject({ action: 'DescribeRoom', roomId: largest })
  })

  test('refusals of both are typed errors with the code and RequestId', async () => {
    const gone = await failureOf(() => lcic.describeRoom(404n))
    expect(gone).toMatchObject({ kind: 'gone', code: 'ResourceNotFound.Room' })
    expect(gone?.requestId).toBe(simulator.requests.at(-1)?.requestId)
    expect(await failureOf(() => lcic.getRooms({ ...day, to: day.from - 1 }, 1))).toMatchObject({
      kind: 'configuration',
      code: 'InvalidParameter.EndTime',
    })
  })

  test.each(['html', 'not-json', 'empty-json'] as const)(
    'an answer that is %s is no list and no room',
    async (kind) => {
      simulator.setFaults(() => ({ kind }))
      const failures = [await failureOf(() => lcic.getRooms(day, 1)), await failureOf(() => lcic.describeRoom(largest))]
      simulator.setFaults(undefined)
      for (const failure of failures) expect(failure).toMatchObject({ kind: 'transient', code: 'E_NOT_AN_API_ANSWER' })
    },
  )
})

const notAnAnswer = { kind: 'transient', code: 'E_NOT_AN_API_ANSWER' }
const list = (fields: object) => answerOf({ RequestId: 'r', Total: 0, Rooms: [], ...fields })
const room = (fields: object) => answerOf({ RequestId: 'r', ...fields })
const listed = (item: unknown) => readRoomsPage(list({ Total: 1, Rooms: [item] }), app).rooms

describe('an answer that holds no list of rooms is refused', () => {
  test.each([
    ['no Total', { Total: undefined }],
    ['a null Total', { Total: null }],
    ['a negative Total', { Total: -1 }],
    ['a fractional Total', { Total: 1.5 }],
    ['a Total beyond reason', { Total: 1e9 }],
    ['a Total that is no number', { Total: 'many' }],
    ['a Total with a letter before it', { Total: 'x1' }],
    ['a Total with a letter behind it', { Total: '1x' }],
    ['a Total in hexadecimal digits', { Total: '0x1f' }],
    ['a Total with an exponent', { Total: '1e1' }],
    ['rooms that are no list', { Rooms: { length: 1 } }],
    ['more rooms than any page has', { Rooms: Array(1001).fill({ RoomId: 1 }) }],
    ['no RequestId', { RequestId: undefined }],
    ['an empty RequestId', { RequestId: '' }],
  ])('%s', async (_, fields) => {
    expect(await failureOf(() => readRoomsPage(list(fields), app))).toMatchObject({
      ...notAnAnswer,
      message: 'The answer holds no list of rooms.',
    })
  })

  test.each(['null', '[]', '1', '"text"', '{}', '{"Response":null}', '{"Response":[]}'])('%s', async (text) => {
    expect(await failureOf(() => readRoomsPage(textAnswer(text), app))).toMatchObject(notAnAnswer)
    expect(await failureOf(() => readRoomDescription(textAnswer(text)))).toMatchObject(notAnAnswer)
  })
})

test('an answer without a RequestId is no room either', async () => {
  const failure = await failureOf(() => readRoomDescription(room({ RequestId: undefined })))
  expect(failure).toMatchObject({ ...notAnAnswer, message: 'The answer holds no room.' })
})

test('a Total in digits and null rooms are read for what they are', () => {
  expect(readRoomsPage(list({ Total: '12', Rooms: null }), app)).toEqual({
    requestId: 'r',
    total: 12,
    rooms: [],
    count: 0,
  })
  expect(readRoomsPage(list({ Rooms: undefined }), app)).toMatchObject({ rooms: [], count: 0 })
})

test('items without a usable id are left out, and still counted, so that the list is seen not to be whole', () => {
  const Rooms = [{ RoomId: 5 }, {}, null, 'x', { RoomId: 0 }, { RoomId: -1 }, { RoomId: 1.5 }, { RoomId: 'abc' }]
  const { rooms, count } = readRoomsPage(list({ Total: 8, Rooms }), app)
  expect(rooms.map(({ roomId }) => roomId)).toEqual([5n])
  expect(count).toBe(8)
})

test('an id keeps its digits whether it comes as a number or as text; what PostgreSQL cannot hold is no id', () => {
  const digits = (text: string) =>
    readRoomsPage(textAnswer(`{"Response":{"RequestId":"r","Total":1,"Rooms":[{"RoomId":${text}}]}}`), app).rooms
  expect(digits('9007199254740993')[0]?.roomId).toBe(9007199254740993n)
  expect(digits('"9007199254740993"')[0]?.roomId).toBe(9007199254740993n)
  expect(digits('9223372036854775807')[0]?.roomId).toBe(largest)
  expect(digits('9223372036854775808')).toEqual([])
  expect(digits('18446744073709551615')).toEqual([])
})

test('fields of odd types cost no room: each is read for what can be made of it, or is not known', () => {
  expect(listed({ RoomId: 1 })[0]).toEqual({
    roomId: 1n,
    sdkAppId: app,
    status: null,
    name: null,
    roomType: null,
    scheduledStartTime: null,
    scheduledEndTime: null,
    realStartTime: null,
    realEndTime: null,
  })
  const odd = { Name: 12, Status: '2', RoomType: [], StartTime: '1700000000', EndTime: 'x', RealStartTime: -5 }
  expect(listed({ RoomId: 1, ...odd, RealEndTime: 1700003600.25 })[0]).toEqual({
    roomId: 1n,
    sdkAppId: app,
    status: 2,
    name: '12',
    roomType: null,
    scheduledStartTime: 1_700_000_000,
    scheduledEndTime: null,
    realStartTime: null,
    realEndTime: 1_700_003_600.25,
  })
  expect(listed({ RoomId: 1, Name: 'a\0b\ud800' })[0]?.name).toBe('a\u{FFFD}b\u{FFFD}')
})

test.each([-1, 4, 99, 2147483647])('status %i, which is not documented, is passed on as it is', (Status) => {
  expect(listed({ RoomId: 1, Status })[0]?.status).toBe(Status)
  expect(readRoomDescription(room({ Status })).status).toBe(Status)
})

test('a description without anything says nothing but that LCIC names no teacher', () => {
  expect(readRoomDescription(room({}))).toEqual({
    requestId: 'r',
    sdkAppId: null,
    status: null,
    name: null,
    roomType: null,
    teacherId: '',
    scheduledStartTime: null,
    scheduledEndTime: null,
  })
  expect(readRoomDescription(room({ SdkAppId: 'x', TeacherId: {} }))).toMatchObject({ sdkAppId: null, teacherId: '' })
  expect(readRoomDescription(room({ SdkAppId: '1400000001', TeacherId: 7 }))).toMatchObject({
    sdkAppId: app,
    teacherId: '7',
  })
})

describe('what JSON.parse takes costs no room', () => {
  const ids = (text: string) => readRoomsPage(textAnswer(text), app).rooms.map(({ roomId }) => roomId)

  test('a number beyond every double', () => {
    expect(ids('{"Response":{"RequestId":"r","Total":1,"Rooms":[{"RoomId":1,"New":1e400}]}}')).toEqual([1n])
  })

  test('lists within lists, twenty thousand deep', () => {
    const deep = '['.repeat(20_000) + ']'.repeat(20_000)
    expect(ids(`{"Response":{"RequestId":"r","Total":1,"Rooms":[{"RoomId":1,"New":${deep}}]}}`)).toEqual([1n])
  })
})

function answerOf(response: object) {
  return textAnswer(JSON.stringify({ Response: response }))
}

/** Both read the text; what the SDK parsed of it is not looked at. */
function textAnswer(text: string) {
  return { body: Buffer.from(text), response: undefined }
}

async function failureOf(act: () => unknown): Promise<SourceError | undefined> {
  try {
    await act()
  } catch (error) {
    expect(error).toBeInstanceOf(SourceError)
    return error instanceof SourceError ? error : undefined
  }
  throw new Error('It did not fail.')
}
