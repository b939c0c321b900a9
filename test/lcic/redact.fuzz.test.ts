import fc from 'fast-check'
import { expect } from 'vitest'
import { readLosslessResponse } from '../../lib/lcic/lossless-json'
import { cleanRecord } from '../../lib/lcic/member-record'
import { parseNodes, rewrite, rewriteStrings, stringOf } from '../../lib/lcic/redact-json'
import { redactPage, withoutErased } from '../../lib/lcic/redact-page'
import { pseudonym, storedUserId } from '../../lib/lcic/redact-text'
import { readStoredPage, type StatisticsPage } from '../../lib/lcic/statistics'
import { always } from '../support/fuzz'
import { listText, nameText, numberText, objectText, stringText, valueText } from '../support/json-text'

const pseudonymKey = '0123456789abcdef'
const pseudonymise = { mode: 'pseudonymise', pseudonymKey } as const
const drop = { mode: 'drop', pseudonymKey } as const

const spaced = fc.tuple(fc.constantFrom('', ' ', '\n\t'), valueText).map(([space, text]) => space + text)

always(
  'a value of a JSON text is found where it stands, however deep it is looked into',
  [spaced, fc.nat(5)],
  (text, levels) => {
    type Nodes = ReturnType<typeof parseNodes>
    const check = ({ start, end, entries, items }: Nodes, value: unknown, left: number): void => {
      expect(JSON.parse(text.slice(start, end))).toEqual(value)
      expect(entries !== undefined || items !== undefined).toBe(left > 0 && typeof value === 'object' && value !== null)
      items?.forEach((item, index) => {
        check(item, Reflect.get(Object(value), index), left - 1)
      })
      if (items) expect(items).toHaveLength(Array.isArray(value) ? value.length : Number.NaN)
      // Of entries of equal names JSON.parse has the last.
      const last = new Map((entries ?? []).map((entry) => [entry.name, entry]))
      if (entries) expect([...last.keys()].sort()).toEqual(Object.keys(Object(value)).sort())
      for (const [name, entry] of last) check(entry.value, Reflect.get(Object(value), name), left - 1)
      for (const { name, start: at, value: part } of entries ?? []) {
        expect(text.slice(at, part.start)).toMatch(/^"[\s\S]*"\s*:\s*$/)
        expect(Reflect.has(Object(value), name)).toBe(true)
      }
    }
    check(parseNodes(text, levels), JSON.parse(text), levels)
  },
)

const verdict = fc.constantFrom(undefined, null, '"put"', '{"a":[1]}')

always(
  'parts that are replaced or left out leave all others as they are written',
  [
    fc.oneof(
      listText(fc.array(valueText, { maxLength: 5 })),
      objectText(fc.array(fc.tuple(stringText, valueText), { maxLength: 5 })),
    ),
    fc.array(verdict, { minLength: 5, maxLength: 5 }),
  ],
  (text, verdicts) => {
    const node = parseNodes(text, 1)
    const parts = [...(node.entries ?? node.items ?? [])]
    const changed = rewrite(text, node, (part) => verdicts[parts.indexOf(part)])
    const given = verdicts.slice(0, parts.length)
    expect(changed === undefined).toBe(given.every((one) => one === undefined))
    if (changed === undefined) return
    const after = parseNodes(changed, 1)
    const left = parts.flatMap((part, index) => {
      const value = 'value' in part ? part.value : part
      const put = given[index] === undefined ? text.slice(value.start, value.end) : given[index]
      return put === null || put === undefined ? [] : [['value' in part ? part.name : '', put]]
    })
    const found = [...(after.entries ?? after.items ?? [])].map((part) => {
      const value = 'value' in part ? part.value : part
      return ['value' in part ? part.name : '', changed.slice(value.start, value.end)]
    })
    expect(found).toEqual(left)
    JSON.parse(changed)
  },
)

always(
  'each string of a value is asked about, with what it says, and only those are changed that shall be',
  [valueText, fc.nat(3)],
  (text, remainder) => {
    const said: string[] = []
    const changed = rewriteStrings(text, parseNodes(text, 0), (string) => {
      said.push(string)
      return string.length % 4 === remainder ? '"x"' : undefined
    })
    const strings = [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([string]) => string)
    expect(said).toEqual(strings.map((string) => JSON.parse(string)))
    const wanted = text.replace(/"(?:[^"\\]|\\.)*"/g, (string) =>
      JSON.parse(string).length % 4 === remainder ? '"x"' : string,
    )
    expect(changed ?? text).toBe(wanted)
    for (const string of strings) expect(stringOf(string, 0, string.length)).toBe(JSON.parse(string))
  },
)

const marker = 'Zq7-Wojciechowska'
const personal = fc.constantFrom(
  `"${marker}"`,
  `"Prof. ${marker}"`,
  `["${marker}"]`,
  `{"a":{"b":"${marker}"}}`,
  `"\\u005aq7-Wojciechowska"`,
  `[7,["${marker}",null]]`,
)
const personalField = fc.tuple(
  nameText([
    'UserId',
    'UserName',
    'IPAddress',
    'Location',
    'Nick',
    '课',
    'Mic',
    'PresentTime',
    'Device',
    'LastQuitTimestamp',
    'Role',
  ]),
  fc.oneof(personal, personal, valueText),
)
const personalRecord = fc.oneof(
  { weight: 5, arbitrary: objectText(fc.array(personalField, { maxLength: 6 })) },
  { weight: 1, arbitrary: personal },
)

always(
  'no name, id, address, place or unknown text is left of a page, wherever it stood and however it was written',
  [
    listText(fc.array(personalRecord, { maxLength: 4 })),
    fc.array(fc.tuple(nameText(['New', 'MicCount', 'RealEndTime', 'Extra"']), personal), { maxLength: 3 }),
    personal,
    fc.constantFrom(pseudonymise, drop),
  ],
  (records, figures, beside, personalData) => {
    const more = figures.map(([name, value]) => `,${name}:${value}`).join('')
    const page = readStoredPage(
      `{"Response":{"Total":3,"MemberRecords":${records},"RequestId":"r-1"${more}},"Beside":${beside}}`,
    )
    const { page: redacted } = redactPage(page, { personalData })
    expect(JSON.stringify(JSON.parse(redacted.body.toString()))).not.toContain(marker)
    expect(JSON.stringify(redacted.records ?? [])).not.toContain(marker)
    expect(JSON.stringify(redacted.figures)).not.toContain(marker)
    expect(redacted.recordCount).toBe(page.recordCount)
    expect(redacted.requestId).toBe('r-1')
  },
)

const id = fc.oneof(
  stringText,
  numberText,
  numberText,
  fc.constantFrom('""', 'null', 'true', 'false', '[]', '{"a":1}', '-0', '1.50', '"\\u0000"'),
)
const idRecord = fc
  .tuple(id, fc.constantFrom('', ',"PresentTime":60', ',"New":12345678901234567890', ',"FirstJoinTimestamp":1.5'))
  .map(([text, more]) => `{"UserId":${text}${more}}`)
const idPage = listText(fc.array(idRecord, { minLength: 1, maxLength: 6 })).map((records) =>
  readStoredPage(`{"Response":{"Total":6,"MemberRecords":${records},"RequestId":"r-1"}}`),
)

/** The user ids that the archive has of a page. */
function idsOf({ body, records }: StatisticsPage): (string | null)[] {
  // PostgreSQL, too, takes the digits of a number for a text.
  const loaded: unknown = records ?? Reflect.get(Object(readLosslessResponse(body.toString())), 'MemberRecords')
  if (!Array.isArray(loaded)) throw new TypeError('The page has no records.')
  return loaded.map((record) => {
    const { UserId } = cleanRecord(record)
    return typeof UserId === 'string' ? UserId : null
  })
}

always(
  'whoever is erased is found under the id that the archive has, however LCIC wrote it, and nobody else is',
  [idPage, fc.nat(5)],
  (page, place) => {
    const ids = idsOf(page)
    const target = ids[place % ids.length]
    const { page: left, erased } = redactPage(page, { isErased: (userId) => userId === target })
    const isGone = (userId: string | null) => userId !== null && userId !== '' && userId === target
    expect(idsOf(left)).toEqual(ids.filter((userId) => !isGone(userId)))
    expect(erased).toHaveLength(ids.filter(isGone).length)
    expect(redactPage(left, { isErased: (userId) => userId === target }).page).toBe(left)
  },
)

always(
  'a pseudonym is that of the id that the archive would have',
  [idPage, fc.constantFrom(pseudonymise, drop)],
  (page, personalData) => {
    const stored = (userId: string | null) => (userId === null ? null : storedUserId(userId, personalData))
    expect(idsOf(redactPage(page, { personalData }).page)).toEqual(idsOf(page).map(stored))
  },
)

always(
  'different values, and equal ones of different kinds, have different tokens',
  [fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })],
  (one, other) => {
    const kinds = ['user', 'name', 'ip', 'location', 'text'] as const
    const tokens = [one, other].flatMap((value) => kinds.map((kind) => pseudonym(pseudonymise, kind, value)))
    expect(new Set(tokens).size).toBe(one.toWellFormed() === other.toWellFormed() ? 5 : 10)
    expect(storedUserId(one, undefined)).not.toContain('\0')
  },
)

always(
  'the id of an erased member is left in no unknown text',
  [valueText, fc.constantFrom('teacher-1', '课课课课课课')],
  (text, userId) => {
    const value = `{"a":${text},"b":["x",{"c":${JSON.stringify(userId)}}]}`
    const without = withoutErased(value, (one) => one === userId)
    expect(JSON.parse(without ?? value)).toEqual({ a: JSON.parse(text), b: ['x', { c: '' }] })
    expect(withoutErased(without ?? '', (one) => one === userId)).toBeUndefined()
  },
)

const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('ada', 'bo', 'cleo'),
  fc.integer(),
  fc.constant(null),
  fc.jsonValue(),
)
const field = fc.constantFrom('UserId', 'UserName', 'Location', 'Mic', 'SubGroupId', 'GroupId', 'Extra', 'É"x')
const list = fc.array(fc.dictionary(field, value, { maxKeys: 5 }), { maxLength: 8 })
const erasing = (...ids: string[]) => ({ isErased: (userId: string) => ids.includes(userId) })

always(
  'whatever the records: erased one by one or at once, before or after pseudonyms, the page is the same',
  [list, fc.boolean()],
  (records, isSpaced) => {
    const written = JSON.stringify(records, null, isSpaced ? 1 : 0)
    const page = readStoredPage(`{"Response":{"Total":9,"MemberRecords":${written},"RequestId":"r-1"}}`)
    const inSteps = redactPage(redactPage(page, erasing('ada')).page, erasing('bo')).page
    const atOnce = redactPage(page, erasing('ada', 'bo'))
    expect(inSteps.body.toString()).toBe(atOnce.page.body.toString())
    expect(atOnce.page.contentHash).toBe(inSteps.contentHash)
    const kept = records.filter(({ UserId }) => UserId !== 'ada' && UserId !== 'bo')
    const recordsIn = ({ body }: StatisticsPage): Record<string, unknown>[] =>
      JSON.parse(body.toString()).Response.MemberRecords
    expect(recordsIn(atOnce.page)).toEqual(JSON.parse(JSON.stringify(kept)))
    expect(atOnce.erased.length + atOnce.page.recordCount).toBe(records.length)
    // By their pseudonyms those are erased that were so by their ids.
    const tokens = erasing(pseudonym(pseudonymise, 'user', 'ada'), pseudonym(pseudonymise, 'user', 'bo'))
    const before = redactPage(page, { personalData: pseudonymise, ...tokens }).page
    const after = redactPage(redactPage(page, { personalData: pseudonymise }).page, tokens).page
    expect(before.body.toString()).toBe(after.body.toString())
    const left = recordsIn(redactPage(page, { personalData: drop }).page).map(
      ({ GroupId: _, SubGroupId: __, ...rest }) => rest,
    )
    expect(JSON.stringify(left)).not.toContain('cleo')
  },
  { cases: 100 },
)
