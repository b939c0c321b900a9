import fc from 'fast-check'
import { expect } from 'vitest'
import { canonicalId, cleanRecord, isLoadable, memberFields } from '../../lib/lcic/member-record'
import { isStorableJson, storableJson, storableText } from '../../lib/lcic/values'
import { always } from '../support/fuzz'
import { valueText } from '../support/json-text'

const anything = fc.oneof(
  fc.jsonValue(),
  fc.double(),
  fc.integer(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\0', '\ud800', '12', -1, 2 ** 31, 1e300, 0.5, true, null, [], {}),
)
const name = fc.oneof(fc.constantFrom(...Object.keys(memberFields)), fc.string())
const odd = fc.dictionary(name, anything).map((record): Record<string, unknown> => JSON.parse(JSON.stringify(record)))

always(
  'whatever a record holds, it can be loaded once cleaned, and cleaning it again changes nothing',
  [odd],
  (record) => {
    const { extra, ...clean } = cleanRecord(record)
    expect(isStorableJson(extra)).toBe(true)
    for (const field of Object.keys(clean)) expect(memberFields).toHaveProperty(field)
    // A user id it does not have cannot be made up: such a snapshot is not taken.
    if (clean.UserId === null || clean.UserId === undefined) return
    expect(isLoadable(clean)).toBe(true)
    expect(cleanRecord(clean)).toEqual({ ...clean, extra: {} })
  },
  { cases: 1000 },
)

always(
  'no value is lost: what the column does not say is in extra',
  [odd],
  (record) => {
    const clean = cleanRecord(record)
    for (const [field, value] of Object.entries(record)) {
      if (value === null || !isStorableJson({ [field]: value })) continue
      const kept = [clean[field], clean.extra[field]]
      // Column and value may differ in form only: "12" and 12, true and 1, 0 and no time, "a" and ["a"], [1] and ["1"].
      const texts =
        Array.isArray(value) && value.every((item) => typeof item !== 'object') ? value.map(String) : [value]
      const same = (one: unknown) =>
        [JSON.stringify(value), JSON.stringify(texts)].includes(JSON.stringify(one)) ||
        (typeof value !== 'object' && (String(one) === String(value) || Number(one ?? 0) === Number(value)))
      expect(kept.some(same), `${field}: ${JSON.stringify(value)} became ${JSON.stringify(kept)}`).toBe(true)
    }
  },
  { cases: 1000 },
)

always('a record that can be loaded is cleaned to itself', [odd], (record) => {
  if (isLoadable(record)) expect(JSON.stringify(cleanRecord(record))).toBe(JSON.stringify(ordered({ ...record })))
})

/** As cleaned records are: fields in the API's order, no time where it is 0. */
function ordered(record: Record<string, unknown>): object {
  const fields = Object.entries(memberFields).filter(([field]) => record[field] !== undefined)
  const value = (field: string, kind: string) => (kind === 'time' && record[field] === 0 ? null : record[field])
  return { ...Object.fromEntries(fields.map(([field, kind]) => [field, value(field, kind)])), extra: {} }
}

const nested = fc.tuple(fc.nat(150), valueText).map(([depth, text]) => '['.repeat(depth) + text + ']'.repeat(depth))

always(
  'any JSON value can be stored once it was made storable, and stays as it was where it could be before',
  [nested],
  (text) => {
    const value: unknown = JSON.parse(text)
    const stored = storableJson(value)
    expect(isStorableJson(stored)).toBe(true)
    expect(storableJson(stored)).toEqual(stored)
    if (isStorableJson(value)) expect(stored).toEqual(value)
  },
)

always(
  'ids of any length are short enough for an index, stay different where they differ, and are found again',
  [
    fc.string({ unit: 'binary', maxLength: 700, size: 'max' }),
    fc.string({ unit: 'binary', maxLength: 700, size: 'max' }),
  ],
  (one, other) => {
    const [first, second] = [canonicalId(one), canonicalId(other)]
    expect(Buffer.byteLength(first)).toBeLessThan(2700)
    expect(isLoadable({ UserId: first })).toBe(true)
    expect(canonicalId(first)).toBe(first)
    expect(first === second).toBe(storableText(one) === storableText(other))
    // As a record has it.
    expect(cleanRecord({ UserId: one }).UserId).toBe(first)
  },
)
