import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kindOfCode } from '../../lib/lcic/errors'
import { cleanRecord, isLoadable, memberFields } from '../../lib/lcic/member-record'
import { readStoredPage } from '../../lib/lcic/statistics'
import { isStorableJson } from '../../lib/lcic/values'

const page = (fields: object) =>
  JSON.stringify({ Response: { RequestId: 'r', Total: 0, MemberRecords: [], ...fields } })

describe('an answer that holds no statistics is refused', () => {
  test.each([
    ['no Total', { Total: undefined }],
    ['a null Total', { Total: null }],
    ['a negative Total', { Total: -1 }],
    ['a fractional Total', { Total: 1.5 }],
    ['a Total beyond reason', { Total: 1e9 }],
    ['a Total that is no number', { Total: 'many' }],
    ['a list that is none', { MemberRecords: { length: 1 } }],
    ['no RequestId', { RequestId: undefined }],
  ])('%s', (_, fields) => {
    expect(() => readStoredPage(page(fields))).toThrow('holds no room statistics')
  })
})

test('a Total in digits and a null list are read for what they are', () => {
  expect(readStoredPage(page({ Total: '0', MemberRecords: null }))).toMatchObject({
    recordCount: 0,
    records: [],
    figures: { Total: 0 },
  })
})

test('records of ordinary life are loaded from the text as it came', () => {
  const MemberRecords = [
    { UserId: 'a', UserName: '李雷 🎓', PresentTime: 1, SubGroupId: ['x'], Role: null },
    { UserId: 'b' },
  ]
  expect(readStoredPage(page({ Total: 2, MemberRecords }))).not.toHaveProperty('records')
})

test('numbers that JavaScript would round keep their digits, and ids that differ stay different', () => {
  const records = '[{"UserId":144115198371610417,"New":9007199254740993},{"UserId":144115198371610418}]'
  const { records: read } = readStoredPage(`{"Response":{"RequestId":"r","Total":2,"MemberRecords":${records}}}`)
  expect(read).toEqual([
    { UserId: '144115198371610417', extra: { New: '9007199254740993' } },
    { UserId: '144115198371610418' },
  ])
})

const anything = fc.oneof(
  fc.jsonValue(),
  fc.double(),
  fc.integer(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\0', '\ud800', '12', -1, 2 ** 31, 1e300, 0.5, true, null, [], {}),
)
const odd = fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(memberFields)), fc.string()), anything)

test('whatever a record holds, it can be loaded once cleaned, and cleaning it again changes nothing', () => {
  fc.assert(
    fc.property(odd, (record) => {
      const { extra, ...clean } = cleanRecord(JSON.parse(JSON.stringify(record)))
      expect(isStorableJson(extra)).toBe(true)
      for (const name of Object.keys(clean)) expect(memberFields).toHaveProperty(name)
      // A user id it does not have cannot be made up: such a snapshot is not taken.
      if (clean.UserId === null || clean.UserId === undefined) return
      expect(isLoadable(clean)).toBe(true)
      expect(cleanRecord(clean)).toEqual({ ...clean, extra: {} })
    }),
    { numRuns: 10_000 },
  )
})

test('no value is lost: what the column does not say is in extra', () => {
  fc.assert(
    fc.property(odd, (raw) => {
      const record: Record<string, unknown> = JSON.parse(JSON.stringify(raw))
      const clean = cleanRecord(record)
      for (const [name, value] of Object.entries(record)) {
        if (value === null || !isStorableJson({ [name]: value })) continue
        const kept = [clean[name], clean.extra[name]]
        // Column and value may differ in form only: "12" and 12, true and 1, 0 and no time, "a" and ["a"], [1] and ["1"].
        const texts =
          Array.isArray(value) && value.every((item) => typeof item !== 'object') ? value.map(String) : [value]
        const same = (one: unknown) =>
          [JSON.stringify(value), JSON.stringify(texts)].includes(JSON.stringify(one)) ||
          (typeof value !== 'object' && (String(one) === String(value) || Number(one ?? 0) === Number(value)))
        expect(kept.some(same), `${name}: ${JSON.stringify(value)} became ${JSON.stringify(kept)}`).toBe(true)
      }
    }),
    { numRuns: 10_000 },
  )
})

test('any code has a kind: exactly, then by its prefix, then by its family', () => {
  expect(kindOfCode('FailedOperation')).toBe('transient')
  expect(kindOfCode('FailedOperation.RoomNotEnd')).toBe('not_ended')
  expect(kindOfCode('FailedOperation.Other')).toBe('unknown')
  expect(kindOfCode('ResourceUnavailable.Other')).toBe('not_ready')
  expect(kindOfCode('InvalidParameterValue.RoomId')).toBe('configuration')
  expect(kindOfCode('')).toBe('unknown')
  fc.assert(
    fc.property(fc.string(), (code) => {
      expect(kindOfCode(code)).toEqual(expect.any(String))
    }),
  )
})
