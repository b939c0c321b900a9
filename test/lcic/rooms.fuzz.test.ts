import fc from 'fast-check'
import { expect } from 'vitest'
import { SourceError } from '../../lib/lcic/errors'
import { readBody } from '../../lib/lcic/response'
import { readRoomDescription, readRoomsPage } from '../../lib/lcic/rooms'
import { always } from '../support/fuzz'
import { listText, nameText, numberText, objectText, valueText } from '../support/json-text'

const app = 1400000001n
const names = [
  'RoomId',
  'Name',
  'Status',
  'StartTime',
  'EndTime',
  'RealStartTime',
  'RealEndTime',
  'RoomType',
  '__proto__',
]
const item = fc.oneof(
  {
    weight: 5,
    arbitrary: objectText(fc.array(fc.tuple(nameText(names), fc.oneof(numberText, valueText)), { maxLength: 6 })),
  },
  { weight: 1, arbitrary: valueText },
)
const list = objectText(
  fc
    .tuple(
      fc.oneof(numberText, valueText),
      listText(fc.array(item, { maxLength: 4 })),
      fc.oneof(fc.constant('"r"'), fc.constant('"r"'), valueText),
    )
    .map(([total, rooms, id]) => [
      ['"Total"', total],
      ['"Rooms"', rooms],
      ['"RequestId"', id],
    ]),
)
const description = objectText(
  fc
    .array(fc.tuple(nameText(['SdkAppId', 'TeacherId', ...names]), fc.oneof(numberText, valueText)), { maxLength: 6 })
    .map((fields) => [...fields, ['"RequestId"', '"r"']]),
)
const answer = fc.oneof(list, list, description, valueText).map((response) => `{"Response":${response}}`)
const anyText = fc.oneof({ weight: 9, arbitrary: answer }, { weight: 1, arbitrary: fc.oneof(fc.string(), valueText) })

/** Both read the text; what the SDK parsed of it is not looked at. */
function read<T>(text: string, reader: (answer: { body: Buffer; response: unknown }) => T): T | undefined {
  try {
    return reader({ body: Buffer.from(text), response: undefined })
  } catch (error) {
    expect(error).toBeInstanceOf(SourceError)
    expect(error).toMatchObject({ kind: 'transient', code: 'E_NOT_AN_API_ANSWER' })
    return undefined
  }
}

const isStorable = (text: string | null) => text === null || (text.isWellFormed() && !text.includes('\0'))

always(
  'whatever comes is a list of rooms, or no API answer; rooms have ids and facts that their columns hold, and none is counted away',
  [anyText],
  (text) => {
    const page = read(text, (one) => readRoomsPage(one, app))
    if (!page) return
    const said = JSON.parse(text).Response
    expect(page.count).toBe(said.Rooms?.length ?? 0)
    expect(page.total).toBe(Number(said.Total))
    expect(page.rooms.length).toBeLessThanOrEqual(page.count)
    for (const { roomId, sdkAppId, name, status, roomType, ...times } of page.rooms) {
      expect(roomId > 0n && roomId < 2n ** 63n).toBe(true)
      expect(sdkAppId).toBe(app)
      expect(isStorable(name)).toBe(true)
      for (const code of [status, roomType])
        expect(code === null || (Number.isInteger(code) && Math.abs(code) <= 2 ** 31)).toBe(true)
      for (const at of Object.values(times)) expect(at === null || (at > 0 && at <= 253_402_300_799)).toBe(true)
    }
  },
)

always('whatever comes is a description, or no API answer', [anyText], (text) => {
  const room = read(text, readRoomDescription)
  if (!room) return
  expect([room.name, room.teacherId, room.requestId].every(isStorable)).toBe(true)
  expect(room.sdkAppId === null || (room.sdkAppId > 0n && room.sdkAppId < 2n ** 63n)).toBe(true)
})

always(
  'a room that LCIC describes in good order is read to the letter',
  [
    fc.record({
      RoomId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
      Name: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
      Status: fc.nat(3),
      RoomType: fc.nat(3),
      StartTime: fc.integer({ min: 1, max: 4_000_000_000 }),
      EndTime: fc.integer({ min: 1, max: 4_000_000_000 }),
      RealStartTime: fc.nat(4_000_000_000),
      RealEndTime: fc.nat(4_000_000_000),
    }),
    fc.boolean(),
  ],
  ({ RoomId, ...facts }, isText) => {
    const fields = JSON.stringify(facts).slice(1)
    const text = `{"Response":{"RequestId":"r","Total":1,"Rooms":[{"RoomId":${isText ? `"${RoomId}"` : RoomId},${fields}]}}`
    expect(read(text, (one) => readRoomsPage(one, app))?.rooms).toEqual([
      {
        roomId: RoomId,
        sdkAppId: app,
        status: facts.Status,
        name: facts.Name,
        roomType: facts.RoomType,
        scheduledStartTime: facts.StartTime,
        scheduledEndTime: facts.EndTime,
        realStartTime: facts.RealStartTime || null,
        realEndTime: facts.RealEndTime || null,
      },
    ])
  },
)

always(
  'a body is the text that its chunks are, wherever they are cut; bytes that are no UTF-8 do not get through',
  [
    fc.array(
      fc.oneof(
        fc.uint8Array(),
        fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
      ),
      { maxLength: 5 },
    ),
    fc.nat(),
  ],
  async (parts, place) => {
    const whole = Buffer.concat(parts)
    const cut = place % (whole.length + 1)
    async function* chunks() {
      yield whole.subarray(0, cut)
      yield whole.subarray(cut)
    }
    const response = { status: 200, statusText: '', headers: { get: () => null }, json: async () => undefined }
    const body = await readBody({ ...response, body: chunks() })
    expect(body.equals(Buffer.from(whole.toString('utf8')))).toBe(true)
  },
)
