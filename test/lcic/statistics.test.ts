import { describe, expect, test } from 'vitest'
import { kindOfCode } from '../../lib/lcic/errors'
import { readStoredPage } from '../../lib/lcic/statistics'

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

test('any code has a kind: exactly, then by its prefix, then by its family', () => {
  expect(kindOfCode('FailedOperation')).toBe('transient')
  expect(kindOfCode('FailedOperation.RoomNotEnd')).toBe('not_ended')
  expect(kindOfCode('FailedOperation.Other')).toBe('unknown')
  expect(kindOfCode('ResourceUnavailable.Other')).toBe('not_ready')
  expect(kindOfCode('InvalidParameterValue.RoomId')).toBe('configuration')
  expect(kindOfCode('')).toBe('unknown')
})
