import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { canonicalId, cleanRecord, isLoadable, memberFields } from '../../lib/lcic/member-record'

const id = (length: number) => 'x'.repeat(length)
const shortened = (text: string) => `${id(400)}#${createHash('sha256').update(text).digest('hex')}`

const good: Readonly<Record<string, unknown>> = { text: 'a', texts: ['a'], count: 1, code: -1, time: 1.5 }
const bad: Readonly<Record<string, unknown>> = { text: 1, texts: 'a', count: -1, code: 1.5, time: -1 }

test.each(Object.entries(memberFields))('%s is loaded as a %s, and not as anything else', (name, kind) => {
  const record = { UserId: 'a', [name]: good[kind] }
  expect(isLoadable(record)).toBe(true)
  expect(cleanRecord(record)).toEqual({ ...record, extra: {} })
  expect(isLoadable({ UserId: 'a', [name]: bad[kind] })).toBe(false)
  if (name !== 'UserId') expect(isLoadable({ UserId: 'a', [name]: null })).toBe(true)
})

test('a record can be loaded as it came if every field has a column, and it names its user', () => {
  expect(isLoadable({ UserId: 'a' })).toBe(true)
  expect(isLoadable({ UserId: '' })).toBe(true)
  expect(isLoadable({ UserId: 'a', New: null })).toBe(false)
  for (const record of [{}, { UserId: null }, { UserId: 7 }, { UserId: '\0' }, [], ['a'], 'a', 7, null, undefined]) {
    expect(isLoadable(record)).toBe(false)
  }
})

test('500 characters of an id are kept, and of more the first 400 and a hash', () => {
  expect(isLoadable({ UserId: id(500) })).toBe(true)
  expect(isLoadable({ UserId: id(501) })).toBe(false)
  expect(cleanRecord({ UserId: id(500) })).toEqual({ UserId: id(500), extra: {} })
  expect(cleanRecord({ UserId: id(501) })).toEqual({ UserId: shortened(id(501)), extra: { UserId: id(501) } })
  expect(canonicalId(id(500))).toBe(id(500))
  expect(canonicalId(id(501))).toBe(shortened(id(501)))
  expect(canonicalId(`${id(399)}🎓${id(200)}`)).toMatch(/^x{399}\u{FFFD}#[0-9a-f]{64}$/u)
})

test('a record without an id names nobody', () => {
  expect(cleanRecord({ New: 1 })).toEqual({ extra: { New: 1 } })
})

test('what is no record names nobody', () => {
  for (const record of [null, undefined, 7, 'a', [], [{ UserId: 'a' }]]) {
    expect(cleanRecord(record)).toEqual({ UserId: null, extra: {} })
  }
})

test('what has no column, and what its column cannot hold, is in extra; what is not there stays so', () => {
  expect(cleanRecord({ UserId: 7, Mic: 'on\0', Role: null, New: { 'a\0': 1 } })).toEqual({
    UserId: '7',
    Mic: null,
    Role: null,
    extra: { Mic: 'on\u{FFFD}', New: { 'a\u{FFFD}': 1 } },
  })
})
