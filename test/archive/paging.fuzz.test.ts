import fc from 'fast-check'
import { expect } from 'vitest'
import {
  countRecords,
  InconsistentPagesError,
  nextPage,
  type RoomPage,
  requireAgreement,
  requireWholeness,
} from '../../lib/archive/paging'
import { PAGE_LIMIT } from '../../lib/lcic/client'
import type { PageFigures } from '../../lib/lcic/statistics'
import { always } from '../support/fuzz'

const number = fc.oneof(fc.nat(3), fc.constant(null))
const figuresOf = (total: fc.Arbitrary<number>): fc.Arbitrary<PageFigures> =>
  fc.record({
    Total: total,
    PeakMemberNumber: number,
    MemberNumber: number,
    RealStartTime: number,
    RealEndTime: number,
    MessageCount: number,
    MicCount: number,
    extra: fc.dictionary(fc.string(), fc.nat(), { maxKeys: 2 }),
  })
const pageOf = (page: number, records: number, figures: PageFigures, erased = 0): RoomPage => ({
  page,
  recordCount: records - erased,
  erased,
  figures,
  contentHash: String(page),
  requestId: null,
})
const isWhole = (pages: ReadonlyMap<number, RoomPage>, isArchived = false) => {
  try {
    requireWholeness(pages, isArchived)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(InconsistentPagesError)
    return false
  }
}

/** How a source cuts a list into pages: full ones, or as it likes. */
const lists = fc.oneof(
  fc.nat(9 * PAGE_LIMIT).map((total) => {
    const full = Array<number>(Math.floor(total / PAGE_LIMIT)).fill(PAGE_LIMIT)
    return total % PAGE_LIMIT === 0 ? full : [...full, total % PAGE_LIMIT]
  }),
  fc.array(fc.integer({ min: 1, max: PAGE_LIMIT }), { maxLength: 8 }),
)

always(
  'a pull asks for each page once, four at a time at most, and ends exactly when it has what was announced or the source has no more',
  [
    lists,
    fc.integer({ min: -2, max: 2 }),
    figuresOf(fc.constant(0)),
    fc.array(fc.nat(3)),
    fc.nat(3),
    fc.subarray([1, 2, 3, 4]),
  ],
  (list, offBy, figures, order, erasedOfEach, landed) => {
    const records = list.reduce((sum, count) => sum + count, 0)
    const announced = Math.max(0, records + offBy)
    const answer = (page: number) => {
      const count = list[page - 1] ?? 0
      return pageOf(page, count, { ...figures, Total: announced }, Math.min(erasedOfEach, count))
    }
    // Some were landed by an attempt that was cut off.
    const pages = new Map(landed.filter((page) => page <= list.length).map((page) => [page, answer(page)]))
    const asked: number[] = []
    const inFlight = new Map<number, true>()
    for (let step = 0; ; step++) {
      const page = nextPage(pages, inFlight)
      if (page !== undefined) {
        expect(pages.has(page) || inFlight.has(page)).toBe(false)
        asked.push(page)
        inFlight.set(page, true)
        expect(inFlight.size).toBeLessThanOrEqual(4)
        // Until one has answered nothing says how many there are.
        if (pages.size === 0) expect([...inFlight.keys()]).toEqual([1])
        continue
      }
      if (inFlight.size === 0) break
      // They answer in any order.
      const waiting = [...inFlight.keys()]
      const answered = waiting[(order[step] ?? 0) % waiting.length] ?? 1
      inFlight.delete(answered)
      pages.set(answered, answer(answered))
    }
    expect(new Set(asked).size).toBe(asked.length)
    const found = countRecords(pages)
    const sawEnd = [...pages.values()].some(({ recordCount, erased }) => recordCount + erased === 0)
    expect(found >= announced || sawEnd).toBe(true)
    // No page beyond the first was asked for that could not be needed.
    expect(asked.filter((page) => page > Math.max(1, list.length + 3))).toEqual([])
    if (isWhole(pages)) expect(found).toBe(announced)
    if (offBy === 0) {
      const online = Math.max(figures.PeakMemberNumber ?? 0, figures.MemberNumber ?? 0)
      expect(isWhole(pages)).toBe(records > 0 || online === 0)
      expect(isWhole(pages, true)).toBe(true)
    }
  },
)

always(
  'full pages are asked for as often as there are pages, and no more',
  [fc.nat(20 * PAGE_LIMIT), figuresOf(fc.constant(0))],
  (total, figures) => {
    const pages = new Map<number, RoomPage>()
    let asked = 0
    for (let page = nextPage(pages, new Map()); page !== undefined; page = nextPage(pages, new Map())) {
      asked++
      const count = Math.max(0, Math.min(PAGE_LIMIT, total - (page - 1) * PAGE_LIMIT))
      pages.set(page, pageOf(page, count, { ...figures, Total: total }))
    }
    expect(asked).toBe(Math.max(1, Math.ceil(total / PAGE_LIMIT)))
  },
)

always(
  'pages agree if they say the same of the room, whatever unknown fields say; else the error names what differs',
  [figuresOf(fc.nat(2)), figuresOf(fc.nat(2)), fc.boolean()],
  (first, drawn, isSame) => {
    const other = isSame ? { ...first, extra: drawn.extra } : drawn
    const pages = new Map([[3, pageOf(3, 1, first)]])
    const { extra: _, ...names } = first
    const differing = Object.entries(names).filter(([name, value]) => Reflect.get(other, name) !== value)
    if (differing.length === 0) return requireAgreement(pages, 5, other)
    expect(() => requireAgreement(pages, 5, other)).toThrow(InconsistentPagesError)
    const says = (of: object) => differing.map(([name]) => `${name} ${Reflect.get(of, name)}`).join(', ')
    expect(() => requireAgreement(pages, 5, other)).toThrow(`page 3 says ${says(first)}, page 5 ${says(other)}`)
    requireAgreement(new Map(), 5, other)
  },
)

always(
  'a room is whole with exactly the records announced, those of erased members included',
  [
    fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { minLength: 1, maxLength: 4 }),
    fc.nat(20),
    figuresOf(fc.constant(0)),
    fc.boolean(),
  ],
  (counts, total, figures, isArchived) => {
    const pages = new Map(
      counts.map(([kept, erased], index) => [
        index,
        pageOf(index, kept + erased, { ...figures, Total: total }, erased),
      ]),
    )
    const records = counts.flat().reduce((sum, count) => sum + count, 0)
    expect(countRecords(pages)).toBe(records)
    const isTooEarly =
      records === 0 && !isArchived && Math.max(figures.PeakMemberNumber ?? 0, figures.MemberNumber ?? 0) > 0
    expect(isWhole(pages, isArchived)).toBe(records === total && !isTooEarly)
  },
)
