import { describe, expect, test } from 'vitest'
import {
  codeOf,
  countOf,
  INT4_MAX,
  INT8_MAX,
  isCode,
  isCount,
  isStorableJson,
  isText,
  isTexts,
  isTime,
  storableJson,
  storableText,
  textOf,
  textsOf,
  timeOf,
  unknownFields,
} from '../../lib/lcic/values'

const read = <T>(value: T | null, odd = false) => ({ value, odd })
const nested = (depth: number, inner: unknown = 1): unknown => (depth === 0 ? inner : [nested(depth - 1, inner)])
const LAST_SECOND = 253_402_300_799

test.each([
  [0, read(0)],
  [2_147_483_647, read(2_147_483_647)],
  [2_147_483_648, read(null, true)],
  [-1, read(null, true)],
  [2.5, read(3, true)],
  [2.4, read(2, true)],
  [2_147_483_647.5, read(null, true)],
  [true, read(1)],
  [false, read(0)],
  ['12', read(12)],
  [' 12 ', read(12)],
  ['12.0', read(12)],
  ['12.5', read(13, true)],
  ['123.75', read(124, true)],
  ['-12', read(null, true)],
  ['12a', read(null, true)],
  ['a12', read(null, true)],
  ['1.', read(null, true)],
  ['+12', read(null, true)],
  ['0x12', read(null, true)],
  ['1e3', read(null, true)],
  ['', read(null, true)],
  [null, read(null)],
  [undefined, read(null)],
  [[1], read(null, true)],
  [{}, read(null, true)],
  [Number.POSITIVE_INFINITY, read(null, true)],
])('as a count %j is read for what can be made of it', (raw, reading) => {
  expect(countOf(raw)).toEqual(reading)
  expect(isCount(raw)).toBe(typeof raw === 'number' && !reading.odd)
})

test.each([
  [-2_147_483_648, read(-2_147_483_648)],
  [-2_147_483_649, read(null, true)],
  [2_147_483_647, read(2_147_483_647)],
  ['-7', read(-7)],
  [1e300, read(null, true)],
])('as a code %j may be negative', (raw, reading) => {
  expect(codeOf(raw)).toEqual(reading)
  expect(isCode(raw)).toBe(typeof raw === 'number' && !reading.odd)
})

test.each([
  [0, read(null)],
  ['0', read(null)],
  [0.5, read(0.5)],
  [1_700_000_000.25, read(1_700_000_000.25)],
  [LAST_SECOND, read(LAST_SECOND)],
  [LAST_SECOND + 1, read(null, true)],
  [-1, read(null, true)],
  ['1700000000', read(1_700_000_000)],
  ['soon', read(null, true)],
  [null, read(null)],
  [undefined, read(null)],
])('as a time %j is read for what can be made of it', (raw, reading) => {
  expect(timeOf(raw)).toEqual(reading)
  expect(isTime(raw)).toBe(raw === 0 || (typeof raw === 'number' && !reading.odd))
})

test.each([
  ['a', read('a')],
  ['', read('')],
  ['a\0b\ud800', read('a\u{FFFD}b\u{FFFD}')],
  [12, read('12')],
  [true, read('true')],
  [null, read(null)],
  [undefined, read(null)],
  [['a'], read(null, true)],
  [{}, read(null, true)],
])('as a text %j is read for what can be made of it', (raw, reading) => {
  expect(textOf(raw)).toEqual(reading)
  expect(isText(raw)).toBe(typeof raw === 'string' && raw === reading.value)
})

test.each([
  [['a', 'b'], read(['a', 'b'])],
  [[], read([])],
  ['a\0', read(['a\u{FFFD}'])],
  [['a', 1, null, {}], read(['a', '1'], true)],
  [['a', 1], read(['a', '1'])],
  [null, read(null)],
  [undefined, read(null)],
  [7, read(null, true)],
  [{}, read(null, true)],
])('as a list of texts %j is read for what can be made of it', (raw, reading) => {
  expect(textsOf(raw)).toEqual(reading)
})

test('a list of texts is one if all of it are texts', () => {
  expect([[], ['a'], ['a', '\0'], ['a', 1], 'a', null].map(isTexts)).toEqual([true, true, false, false, false, false])
})

describe('JSON that PostgreSQL can look into', () => {
  test.each([
    [null, true],
    [1, true],
    ['a', true],
    ['\0', false],
    [['a', '\ud800'], false],
    [{ a: { b: '\0' } }, false],
    [{ 'a\0': 1 }, false],
    [{ a: { b: 'c' } }, true],
    [{ a: '\0', b: 1 }, false],
    [{ a: 1, b: '\0' }, false],
    [nested(100), true],
    [nested(101), false],
  ])('%#: %j', (value, isStorable) => {
    expect(isStorableJson(value)).toBe(isStorable)
    if (isStorable) expect(storableJson(value)).toEqual(value)
    expect(isStorableJson(storableJson(value))).toBe(true)
  })

  test('is made of any by replacing what it cannot hold', () => {
    expect(storableJson({ 'a\0': ['\ud800', { b: null, c: true, d: 1.5 }] })).toEqual({
      'a\u{FFFD}': ['\u{FFFD}', { b: null, c: true, d: 1.5 }],
    })
    expect(storableJson(nested(101))).toEqual(nested(100, null))
    expect(storableJson({ a: nested(100) })).toEqual({ a: nested(99, null) })
  })
})

test('the largest numbers are those of PostgreSQL’s types', () => {
  expect([INT4_MAX, INT8_MAX]).toEqual([2_147_483_647, 9_223_372_036_854_775_807n])
})

test('the fields that are not known are kept under names and with values that can be stored', () => {
  expect(unknownFields({ a: 1, b: '\0', 'c\0': [1] }, ['a'])).toEqual({ b: '\u{FFFD}', 'c\u{FFFD}': [1] })
  expect(unknownFields({ a: 1 }, ['a'])).toEqual({})
  expect(storableText('\0a\0')).toBe('\u{FFFD}a\u{FFFD}')
})
