import fc from 'fast-check'
import { expect } from 'vitest'
import { UsageError } from '../../lib/errors'
import { readArchiveEvent, readHttpEvent, readSweepEvent } from '../../lib/platform/events'
import { always } from '../support/fuzz'
import { valueText } from '../support/json-text'

const anything = fc.oneof(
  fc.jsonValue(),
  fc.anything({ withBigInt: true, withNullPrototype: true, withObjectString: true, maxDepth: 2 }),
  fc.constantFrom(
    undefined,
    null,
    0,
    -1,
    1.5,
    2 ** 53,
    Number.NaN,
    '',
    '0',
    '1',
    '01',
    '-1',
    '1e3',
    '9223372036854775808',
  ),
)
/** Ids that name a room, in all their forms, and what they name. */
const goodId = fc.oneof(
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((id) => ({ given: id as unknown, id: BigInt(id) })),
  fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map((id) => ({ given: String(id) as unknown, id })),
)
const badId = fc
  .oneof(
    anything,
    fc.integer({ max: 0 }),
    fc.bigInt({ min: 2n ** 63n }).map(String),
    fc.double().filter((number) => !Number.isSafeInteger(number)),
  )
  .filter((given) => !isId(given))
  .map((given) => ({ given, id: undefined }))
/** As SDK and LCIC write them. */
function isId(given: unknown): boolean {
  if (typeof given === 'number') return Number.isSafeInteger(given) && given > 0
  return typeof given === 'string' && /^\d{1,19}$/.test(given) && BigInt(given) > 0n && BigInt(given) < 2n ** 63n
}
const maybeId = fc.oneof(goodId, goodId, badId)

function readOr<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    expect(error).toMatchObject({ code: 'E_EVENT' })
    return undefined
  }
}

const distinct = (ids: readonly (bigint | undefined)[]) => [...new Set(ids.filter((id) => id !== undefined))]

always(
  'ids are read to the last digit, once each, and what is no id is counted',
  [fc.array(maybeId, { maxLength: 8 }), fc.option(fc.constantFrom('Timer', 'timer', 7)), anything],
  (ids, type, other) => {
    const event = { RoomIds: ids.map(({ given }) => given), Other: other, ...(type !== null && { Type: type }) }
    expect(readArchiveEvent(event)).toEqual({
      named: distinct(ids.map(({ id }) => id)),
      hinted: [],
      malformed: ids.filter(({ id }) => id === undefined).length,
      isTimer: type === 'Timer',
    })
  },
)

/** A message whose body is text; ids beyond 2^53 that come as numbers are not theirs. */
const message = fc.oneof(
  goodId.map(({ given, id }) => ({ text: JSON.stringify({ RoomId: given }), id })),
  fc
    .tuple(goodId, valueText)
    .map(([{ given, id }, other]) => ({ text: ` {"New":${other},"RoomId":${JSON.stringify(given)}}`, id })),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n }).map((id) => ({ text: `{"RoomId":${id}}`, id: undefined })),
  fc
    .constantFrom('', '{', 'null', '[]', '7', '{"RoomId":0}', '{"RoomId":null}', '{"roomId":1}')
    .map((text) => ({ text, id: undefined })),
)

always(
  'CKafka records name the rooms of their messages; what is no record or message stops nothing, and is counted',
  [
    fc.array(
      fc.oneof(
        message.map((one) => ({ record: { Ckafka: { msgBody: one.text, offset: 1 } } as unknown, id: one.id })),
        anything.map((record) => ({ record, id: undefined })),
      ),
      { maxLength: 8 },
    ),
  ],
  (records) => {
    const found = readArchiveEvent({ Records: records.map(({ record }) => record) })
    expect(found.hinted).toEqual(distinct(records.map(({ id }) => id)))
    expect(found.malformed).toBe(records.filter(({ id }) => id === undefined).length)
    expect(found.named).toEqual([])
  },
)

always(
  'any event is read, or refused as no event',
  [fc.oneof(anything, fc.record({ RoomIds: anything, Records: anything, Type: anything }, { requiredKeys: [] }))],
  (event) => {
    const read = readOr(() => readArchiveEvent(event))
    for (const id of [...(read?.named ?? []), ...(read?.hinted ?? [])]) expect(id > 0n && id < 2n ** 63n).toBe(true)
    if (read === undefined) return
    expect(Array.isArray(event) || typeof event === 'object' || event === undefined).toBe(true)
  },
)

const time = fc.oneof(
  fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2099, 0, 1) }).map((ms) => new Date(ms).toISOString()),
  fc.constantFrom('36h', '2026-03-01', '2026-02-31', 'soon', ''),
  anything,
)

always(
  'a sweep has both ends of its span, its beginning alone, or none; never an end alone',
  [fc.record({ From: time, To: time, Other: anything }, { requiredKeys: [] })],
  (event) => {
    const span = readOr(() => readSweepEvent(event))
    if (!span) return
    expect('to' in span && !('from' in span)).toBe(false)
    expect('from' in span).toBe(event.From !== undefined)
    expect('to' in span).toBe(event.To !== undefined)
    for (const [given, at] of [
      [event.From, span.from],
      [event.To, span.to],
    ]) {
      if (/^\d{4}-.*Z$/.test(String(given))) expect(at).toEqual(new Date(String(given)))
    }
  },
)

always(
  'a request has the body that was sent, as text and as base64; whatever else comes is an empty one',
  [fc.string({ unit: 'grapheme' }), fc.boolean(), fc.constantFrom('post', 'GET', 'Post'), anything],
  (body, isBase64Encoded, httpMethod, event) => {
    const sent = isBase64Encoded ? Buffer.from(body).toString('base64') : body
    expect(readHttpEvent({ httpMethod, body: sent, isBase64Encoded, headers: event })).toEqual({
      method: httpMethod.toUpperCase(),
      body,
    })
    const other = readHttpEvent(event)
    expect(typeof other.body).toBe('string')
    expect(other.method).toBe(other.method.toUpperCase())
    expect(readHttpEvent({ httpMethod: event, body: event, isBase64Encoded: event })).toMatchObject({
      method: expect.any(String),
      body: expect.any(String),
    })
  },
)
