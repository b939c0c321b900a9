import type { Chart } from './chart'
import type { AttendanceKind } from './class-data'
import { fillOf } from './fills'
import type { Format } from './format'
import type { Messages } from './messages'
import { type CompletenessState, completenessStates, type OverviewData } from './overview-data'

const DAY_MS = 86_400_000

/** Each state has the fill of a kind of attendance. */
export const stateFills: Readonly<Record<CompletenessState, AttendanceKind>> = {
  archived: 'present',
  waiting: 'late',
  expired: 'staff',
  missing: 'left_early',
  failed: 'no_show',
  withoutJob: 'partial',
}

/** What became of the classes that ended, day by day or week by week; undefined where none did. */
export function completenessChart({ completeness }: OverviewData, format: Format, texts: Messages): Chart | undefined {
  const { periods, periodLength } = completeness
  const [first] = periods
  const last = periods.at(-1)
  if (!first || !last) return undefined
  const { completeness: words } = texts
  const sum = (state: CompletenessState | 'ended') => periods.reduce((total, period) => total + period[state], 0)
  const isComplete = sum('archived') + sum('expired') === sum('ended')
  return {
    id: 'completeness-chart',
    title: words.chart,
    summary:
      isComplete && sum('expired') === 0
        ? words.all(format.number(sum('ended')))
        : words.some(format.number(sum('archived')), format.number(sum('ended'))),
    drawing(width) {
      const padding = { left: 44, top: 10, right: 10, bottom: 24 }
      const stepMs = periodLength === 'day' ? DAY_MS : 7 * DAY_MS
      const count = Math.round((last.start - first.start) / stepMs) + 1
      const step = (width - padding.left - padding.right) / count
      const every = Math.ceil(52 / step)
      const indexes = Array.from({ length: count }, (_, index) => index)
      const labels = indexes.map((index) => (index % every === 0 ? format.day(first.start + index * stepMs) : ''))
      const values = periods.flatMap((period) =>
        completenessStates
          .filter((state) => period[state] > 0)
          .map((state) => ({
            index: Math.round((period.start - first.start) / stepMs),
            state,
            order: completenessStates.indexOf(state),
            rooms: period[state],
          })),
      )
      const most = Math.max(...periods.map(({ ended }) => ended), 1)
      return {
        width,
        height: 180,
        padding,
        layer: [
          {
            data: { values },
            mark: { type: 'bar' },
            encoding: {
              x: {
                field: 'index',
                type: 'ordinal',
                scale: { domain: indexes, paddingInner: 0.2, paddingOuter: 0.1 },
                axis: {
                  labelAngle: 0,
                  ticks: false,
                  title: null,
                  labelExpr: `(${JSON.stringify(labels)})[datum.value]`,
                },
              },
              y: {
                field: 'rooms',
                type: 'quantitative',
                stack: 'zero',
                scale: { domain: [0, most], nice: true },
                axis: { tickCount: Math.min(4, most), format: ',d', title: null, domain: false, ticks: false },
              },
              order: { field: 'order', type: 'quantitative' },
              fill: {
                field: 'state',
                type: 'nominal',
                scale: {
                  domain: [...completenessStates],
                  range: completenessStates.map((state) => fillOf(stateFills[state])),
                },
                legend: null,
              },
            },
          },
        ],
      }
    },
  }
}
