import { createHash } from 'node:crypto'
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
    ['a Total in hexadecimal digits', { Total: '0x1f' }],
    ['a Total with an exponent', { Total: '1e1' }],
    ['a fractional Total', { Total: 1.5 }],
    ['a Total beyond reason', { Total: 1e9 }],
    ['a Total that is no number', { Total: 'many' }],
    ['a Total with a letter before it', { Total: 'x1' }],
    ['a Total with a letter behind it', { Total: '1x' }],
    ['a list that is none', { MemberRecords: { length: 1 } }],
    ['no RequestId', { RequestId: undefined }],
  ])('%s', (_, fields) => {
    const message = 'The answer holds no room statistics.'
    const refusal = expect.objectContaining({ kind: 'transient', code: 'E_NOT_AN_API_ANSWER', message })
    expect(() => readStoredPage(page(fields))).toThrow(refusal)
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

test('an id of 16 digits beyond 2^53 keeps them, and so does an unknown figure beside records of ordinary life', () => {
  const answer = (record: string, more: string) =>
    readStoredPage(`{"Response":{"RequestId":"r","Total":1,"MemberRecords":[${record}]${more}}}`)
  for (const space of ['', ' ', '\n '])
    expect(answer(`{"UserId":${space}9007199254740993}`, '').members).toEqual([{ UserId: '9007199254740993' }])
  const page = answer('{"UserId":"a"}', ',"New":9007199254740993')
  expect(page.figures.extra).toEqual({ New: '9007199254740993' })
  expect(page.members).toEqual([{ UserId: 'a' }])
  expect(page).not.toHaveProperty('records')
})

test('figures are read by the rules of values, and what their columns do not say is in extra', () => {
  const figures = { PeakMemberNumber: 2.5, MemberNumber: '3', RealStartTime: 1700000000.5, RealEndTime: -1 }
  const { figures: read } = readStoredPage(page({ Total: '12', ...figures, MessageCount: 4, MicCount: 5, New: [1] }))
  expect(read).toEqual({
    Total: 12,
    PeakMemberNumber: 3,
    MemberNumber: 3,
    RealStartTime: 1700000000.5,
    RealEndTime: null,
    MessageCount: 4,
    MicCount: 5,
    extra: { PeakMemberNumber: 2.5, RealEndTime: -1, New: [1] },
  })
})

test('a RequestId that is written with escapes is hashed with the rest', () => {
  const text = page({}).replace('"r"', '"\\u0072"')
  expect(readStoredPage(text)).toMatchObject({ requestId: 'r' })
  const whole = page({ RequestId: 'x-1' }).replace('"x-1"', '"x\\u002d1"')
  expect(readStoredPage(whole).contentHash).toBe(createHash('sha256').update(whole).digest('hex'))
  const plain = page({ RequestId: 'x-课' })
  const without = createHash('sha256').update(plain.replace('x-课', '')).digest('hex')
  expect(readStoredPage(plain).contentHash).toBe(without)
})

test('any code has a kind: exactly, then by its prefix, then by its family', () => {
  expect(kindOfCode('FailedOperation')).toBe('transient')
  expect(kindOfCode('FailedOperation.RoomNotEnd')).toBe('not_ended')
  expect(kindOfCode('FailedOperation.Other')).toBe('unknown')
  expect(kindOfCode('ResourceUnavailable.Other')).toBe('not_ready')
  expect(kindOfCode('InvalidParameterValue.RoomId')).toBe('configuration')
  expect(kindOfCode('')).toBe('unknown')
})
