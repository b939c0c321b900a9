import { expect, test } from 'vitest'
import { InconsistentPagesError, nextPage, type RoomPage, requireWholeness } from '../../lib/archive/paging'
import type { PageFigures } from '../../lib/lcic/statistics'

const nobody: PageFigures = {
  Total: 0,
  PeakMemberNumber: null,
  MemberNumber: null,
  RealStartTime: null,
  RealEndTime: null,
  MessageCount: null,
  MicCount: null,
  extra: {},
}

/** Pages of so many records each. */
function pagesOf(counts: readonly number[], figures: Partial<PageFigures>): Map<number, RoomPage> {
  return new Map(
    counts.map((recordCount, index) => [
      index + 1,
      {
        page: index + 1,
        recordCount,
        erased: 0,
        figures: { ...nobody, ...figures },
        contentHash: '',
        requestId: null,
      },
    ]),
  )
}

test.each([
  [{ PeakMemberNumber: 3, MemberNumber: 2 }, 3],
  [{ PeakMemberNumber: 2, MemberNumber: 3 }, 3],
  [{ PeakMemberNumber: 1 }, 1],
  [{ MemberNumber: 1 }, 1],
])(
  'an empty report that counts members online came too early, but for a room that is archived: %o',
  (figures, online) => {
    const pages = pagesOf([0], figures)
    const error = new InconsistentPagesError(`LCIC counts ${online} members online, and lists nobody`)
    expect(() => requireWholeness(pages, false)).toThrow(error)
    requireWholeness(pages, true)
  },
)

test('an empty report that counts nobody is whole', () => {
  requireWholeness(pagesOf([0], {}), false)
  requireWholeness(pagesOf([0], { PeakMemberNumber: 0, MemberNumber: 0 }), false)
})

test('too few records, too many, and no page at all are not whole', () => {
  const says = (text: string) => new InconsistentPagesError(text)
  const announced = (Total: number) => pagesOf([2, 1], { Total, PeakMemberNumber: 3 })
  requireWholeness(announced(3), false)
  for (const total of [2, 4])
    expect(() => requireWholeness(announced(total), false)).toThrow(
      says(`LCIC announced ${total} records, and its 2 pages hold 3`),
    )
  expect(() => requireWholeness(new Map(), false)).toThrow(InconsistentPagesError)
})

test('behind an empty page nothing is asked for, whatever was announced', () => {
  expect(nextPage(pagesOf([2], { Total: 3 }), new Map())).toBe(2)
  expect(nextPage(pagesOf([2, 0], { Total: 3 }), new Map())).toBeUndefined()
})
