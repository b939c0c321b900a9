import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import { SourceError } from '../../lib/lcic/errors'
import { cleanRecord, isLoadable, memberFields } from '../../lib/lcic/member-record'
import { figureNames, readStatisticsPage, readStoredPage } from '../../lib/lcic/statistics'
import { isStorableJson } from '../../lib/lcic/values'
import { always } from '../support/fuzz'
import { listText, nameText, numberText, objectText, stringText, valueText } from '../support/json-text'

const figure = fc.tuple(nameText([...figureNames, 'New', '__proto__', 'constructor']), fc.oneof(numberText, valueText))
const field = fc.tuple(
  nameText([...Object.keys(memberFields), 'New', '__proto__']),
  fc.oneof(numberText, stringText, valueText),
)
const record = fc.oneof(
  { weight: 9, arbitrary: objectText(fc.array(field, { maxLength: 6 })) },
  { weight: 1, arbitrary: valueText },
)
const records = fc.oneof(
  { weight: 9, arbitrary: listText(fc.array(record, { maxLength: 4 })) },
  { weight: 1, arbitrary: valueText },
)
const response = objectText(
  fc
    .tuple(
      fc.oneof({ weight: 9, arbitrary: fc.nat(5).map(String) }, { weight: 1, arbitrary: valueText }),
      records,
      fc.oneof({ weight: 9, arbitrary: fc.uuid().map((id) => `"${id}"`) }, { weight: 1, arbitrary: valueText }),
      fc.array(figure, { maxLength: 4 }),
    )
    .map(([total, list, id, figures]) => [
      ['"Total"', total],
      ['"MemberRecords"', list],
      ...figures,
      ['"RequestId"', id],
    ]),
)
const answer = fc.oneof(
  { weight: 9, arbitrary: response.map((text) => `{"Response":${text}}`) },
  { weight: 1, arbitrary: valueText.map((text) => `{"Response":${text}}`) },
)

function read(text: string) {
  try {
    return readStoredPage(text)
  } catch (error) {
    if (error instanceof SourceError && error.code === 'E_NOT_AN_API_ANSWER') return undefined
    throw error
  }
}

always(
  'an answer is a page, or no API answer; the page has its text, all its records, and nothing that cannot be loaded',
  [answer],
  (text) => {
    const page = read(text)
    if (!page) return
    const said = JSON.parse(text).Response
    expect(page.body.toString()).toBe(text)
    expect(page.recordCount).toBe(said.MemberRecords?.length ?? 0)
    expect(page.figures.Total).toBe(Number(said.Total))
    const loaded: unknown[] = page.records === undefined ? (said.MemberRecords ?? []) : [...page.records]
    expect(loaded).toHaveLength(page.recordCount)
    for (const item of loaded) {
      const { extra = {}, ...rest } = Object(item)
      expect(isStorableJson(extra)).toBe(true)
      expect(rest.UserId === null || rest.UserId === undefined || isLoadable(rest)).toBe(true)
    }
    const { Total, extra, ...figures } = page.figures
    expect(isStorableJson(extra)).toBe(true)
    for (const value of Object.values(figures)) expect(value === null || value >= 0).toBe(true)
    for (const name of ['PeakMemberNumber', 'MemberNumber', 'MessageCount', 'MicCount'] as const) {
      const raw: unknown = said[name]
      if (Number.isInteger(raw) && Number(raw) >= 0 && Number(raw) <= 2_147_483_647) expect(figures[name]).toBe(raw)
    }
  },
  { cases: 300 },
)

always('a page that was stored is read again to the very same, as what came from LCIC was', [answer], (text) => {
  const page = read(text)
  if (page) {
    const asItCame = readStatisticsPage({ body: Buffer.from(text), response: JSON.parse(text).Response })
    expect(asItCame).toEqual(page)
    expect(read(page.body.toString())).toEqual(page)
  }
})

always(
  'the content hash is that of the text without its RequestId: another id is no other page, and anything else is',
  [response, fc.uuid(), fc.uuid(), fc.nat()],
  (text, one, other, place) => {
    const withId = (id: string) => `{"Response":{"A":${text},"Total":1,"MemberRecords":[],"RequestId":"${id}"}}`
    const page = read(withId(one))
    expect(page?.contentHash).toBe(createHash('sha256').update(withId('')).digest('hex'))
    expect(read(withId(other))?.contentHash).toBe(page?.contentHash)
    const at = place % text.length
    const changed = text.slice(0, at) + (text[at] === ' ' ? '\n' : ' ') + text.slice(at + 1)
    let isJson = true
    try {
      JSON.parse(changed)
    } catch {
      isJson = false
    }
    if (isJson) expect(read(withId(one).replace(text, () => changed))?.contentHash).not.toBe(page?.contentHash)
  },
)

always(
  'ids and unknown numbers of any length keep all their digits, whatever else is on the page',
  [
    fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
    fc.bigInt({ min: 0n, max: 10n ** 25n }),
    valueText,
    fc.boolean(),
  ],
  (id, unknown, other, isSpaced) => {
    const space = isSpaced ? ' ' : ''
    const page = read(
      `{"Response":{"RequestId":"r","Total":1,"MemberRecords":[{"UserId":${space}${id},"New":${space}${unknown}}],"Other":${other}}}`,
    )
    const [loaded] = page?.records ?? []
    const { UserId, extra } = cleanRecord(loaded)
    expect(String(UserId)).toBe(String(id))
    expect(String(extra.New ?? Reflect.get(Object(Reflect.get(Object(loaded), 'extra')), 'New'))).toBe(String(unknown))
  },
)
