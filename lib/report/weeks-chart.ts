import type { Chart } from './chart'
import type { Format } from './format'
import type { Messages } from './messages'
import { type OverviewData, type Period, rateOf } from './overview-data'

const WEEK_MS = 7 * 86_400_000

/** Attendance period by period; undefined where no class has a list of who should come. */
export function weeksChart(
  { periods, periodLength, totals }: OverviewData,
  format: Format,
  texts: Messages,
): Chart | undefined {
  const rated = periods.flatMap((period) => {
    const rate = rateOf(period)
    return rate === null ? [] : [{ ...period, rate }]
  })
  const [first] = rated
  const total = rateOf(totals)
  if (!first || total === null) return undefined
  const { weeks: words } = texts
  const isWeek = periodLength === 'week'
  const name = (start: number) => (isWeek ? words.weekOf(format.day(start)) : format.month(start))
  const lowest = rated.reduce((low, period) => (period.rate < low.rate ? period : low), first)
  const highest = rated.reduce((high, period) => (period.rate > high.rate ? period : high), first)
  const told = (period: { readonly rate: number; readonly start: number }) =>
    [format.percent(period.rate), name(period.start)] as const
  const summaryOf = () => {
    if (rated.length === 1) return words.one(...told(first))
    if (format.percent(lowest.rate) === format.percent(highest.rate)) return words.same(format.percent(total))
    return words.summary(format.percent(total), ...told(lowest), ...told(highest))
  }
  return {
    id: 'weeks',
    title: isWeek ? words.title : words.byMonth,
    summary: summaryOf(),
    drawing(width) {
      const padding = { left: 44, top: 20, right: 10, bottom: 24 }
      const starts = allStarts(periods, periodLength)
      const step = (width - padding.left - padding.right) / starts.length
      const every = Math.ceil(52 / step)
      const rates = new Map(rated.map(({ start, rate }) => [start, rate]))
      const values = starts.map((start, index) => {
        const rate = rates.get(start)
        return { index, rate: rate ?? 0, label: step < 34 || rate === undefined ? '' : format.percent(rate) }
      })
      const labels = starts.map((start, index) =>
        index % every === 0 ? (isWeek ? format.day(start) : format.month(start)) : '',
      )
      const x = {
        field: 'index',
        type: 'ordinal',
        scale: { paddingInner: 0.25, paddingOuter: 0.15 },
        axis: { labelAngle: 0, ticks: false, title: null, labelExpr: `(${JSON.stringify(labels)})[datum.value]` },
      }
      const y = {
        field: 'rate',
        type: 'quantitative',
        scale: { domain: [0, 1], nice: false },
        axis: { values: [0, 0.25, 0.5, 0.75, 1], format: '.0%', title: null, domain: false, ticks: false },
      }
      return {
        width,
        height: 220,
        padding,
        layer: [
          { data: { values }, mark: { type: 'bar', fill: 'var(--present)' }, encoding: { x, y } },
          {
            data: { values: values.filter(({ label }) => label !== '') },
            mark: { type: 'text', baseline: 'bottom', dy: -3 },
            encoding: { x, y, text: { field: 'label' } },
          },
        ],
      }
    },
  }
}

/** The first days of all periods from the first to the last: those without a class are gaps. */
function allStarts(periods: readonly Period[], length: OverviewData['periodLength']): number[] {
  const first = periods[0]?.start ?? 0
  const last = periods.at(-1)?.start ?? first
  const starts: number[] = []
  for (let start = first; start <= last; start = next(start, length)) starts.push(start)
  return starts
}

function next(start: number, length: OverviewData['periodLength']): number {
  if (length === 'week') return start + WEEK_MS
  const day = new Date(start)
  return day.setUTCMonth(day.getUTCMonth() + 1)
}
