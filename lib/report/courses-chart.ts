import type { Chart } from './chart'
import type { Format } from './format'
import { shortened } from './label'
import type { Messages } from './messages'
import { type OverviewData, rateOf } from './overview-data'

/** More bars are no comparison. */
const MOST_BARS = 25

/** Attendance course by course, the lowest first; undefined where no course has a list of who should come. */
export function coursesChart(
  { courses, coursesInAll }: OverviewData,
  format: Format,
  texts: Messages,
): Chart | undefined {
  const rated = courses.flatMap((course) => {
    const rate = rateOf(course)
    return rate === null ? [] : [{ name: courseName(course.course, texts), rate }]
  })
  const [lowest] = rated
  const highest = rated.at(-1)
  if (!lowest || !highest) return undefined
  const { courses: words } = texts
  const bars = rated.slice(0, MOST_BARS)
  const [low, high] = [format.percent(lowest.rate), format.percent(highest.rate)]
  const summaryOf = () => {
    const count = format.number(coursesInAll)
    if (rated.length === 1) return words.one(lowest.name, low)
    return low === high ? words.same(count, low) : words.summary(count, low, lowest.name, high, highest.name)
  }
  const summary = summaryOf()
  return {
    id: 'courses',
    title: words.title,
    summary: bars.length < rated.length ? `${summary} ${words.shown(format.number(bars.length))}` : summary,
    drawing(width, name) {
      const isWide = name === 'wide'
      const [pitch, thickness, foot] = isWide ? [24, 15, 4] : [38, 14, 2]
      const padding = { left: isWide ? 190 : 0, top: 4, right: 44, bottom: 4 }
      const values = bars.map(({ name, rate }, row) => ({
        rate,
        top: row + 1 - (thickness + foot) / pitch,
        bottom: row + 1 - foot / pitch,
        middle: row + 1 - (thickness / 2 + foot) / pitch,
        above: row + 1 - (thickness + foot + 9) / pitch,
        name: shortened(name, isWide ? 28 : 40),
        label: format.percent(rate),
      }))
      const x = { field: 'rate', type: 'quantitative', scale: { domain: [0, 1], nice: false }, axis: null }
      const y = { type: 'quantitative', scale: { domain: [0, bars.length], reverse: true, nice: false }, axis: null }
      const bar = { type: 'rect', fill: 'var(--present)' }
      const from = { datum: 0, type: 'quantitative' }
      return {
        width,
        height: padding.top + bars.length * pitch + padding.bottom,
        padding,
        layer: [
          {
            data: { values },
            mark: { type: 'rect', fill: 'var(--faint)' },
            encoding: {
              x: { ...x, field: undefined, datum: 0 },
              x2: { datum: 1 },
              y: { ...y, field: 'top' },
              y2: { field: 'bottom' },
            },
          },
          {
            data: { values },
            mark: bar,
            encoding: { x, x2: from, y: { ...y, field: 'top' }, y2: { field: 'bottom' } },
          },
          {
            data: { values },
            mark: { type: 'text', align: 'left', baseline: 'middle', dx: 6 },
            encoding: {
              x: { ...x, field: undefined, datum: 1 },
              y: { ...y, field: 'middle' },
              text: { field: 'label' },
            },
          },
          {
            data: { values },
            mark: { type: 'text', align: isWide ? 'right' : 'left', baseline: 'middle' },
            encoding: {
              x: { value: isWide ? -8 : 0 },
              y: { ...y, field: isWide ? 'middle' : 'above' },
              text: { field: 'name' },
            },
          },
        ],
      }
    },
  }
}

export function courseName(course: string, texts: Messages): string {
  return course === '(no name)' ? texts.page.noName : course
}
