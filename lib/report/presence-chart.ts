import type { Chart } from './chart'
import type { ClassData } from './class-data'
import { fillOf } from './fills'
import type { Format } from './format'
import type { Messages } from './messages'

/** Students by the share of the class that they were present; undefined where there is none to count. */
export function presenceChart({ presence, thresholds }: ClassData, format: Format, texts: Messages): Chart | undefined {
  const students = presence.reduce((sum, count) => sum + count, 0)
  if (students === 0) return undefined
  const { attendedRatio } = thresholds
  const enough = presence.filter((_, tenth) => tenth / 10 >= attendedRatio).reduce((sum, count) => sum + count, 0)
  const most = Math.max(...presence)
  return {
    id: 'presence',
    title: texts.presence.title,
    summary: texts.presence.summary(
      format.number(enough),
      format.number(students),
      format.percent(Math.ceil(attendedRatio * 10) / 10),
      format.number(presence[9] ?? 0),
    ),
    drawing(width, name) {
      const padding = { left: 14, top: 20, right: 14, bottom: 40 }
      const values = presence.map((count, tenth) => ({
        tenth,
        count,
        label: count > 0 ? format.number(count) : '',
        kind: tenth / 10 >= attendedRatio ? 'present' : 'partial',
      }))
      const labels = presence.map((_, tenth) => tenthLabel(tenth, name === 'narrow'))
      const x = {
        field: 'tenth',
        type: 'ordinal',
        scale: { paddingInner: 0.15, paddingOuter: 0.1 },
        axis: {
          labelAngle: 0,
          ticks: false,
          labelExpr: `(${JSON.stringify(labels)})[datum.value]`,
          title: texts.presence.axis,
        },
      }
      const y = { field: 'count', type: 'quantitative', scale: { domain: [0, most], nice: false }, axis: null }
      return {
        width,
        height: 200,
        padding,
        layer: [
          {
            data: { values },
            mark: { type: 'bar' },
            encoding: {
              x,
              y,
              fill: {
                field: 'kind',
                type: 'nominal',
                scale: { domain: ['present', 'partial'], range: [fillOf('present'), fillOf('partial')] },
                legend: null,
              },
            },
          },
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

/** `80–89%`: the shares of a tenth. */
export function tenthLabel(tenth: number, isShort = false): string {
  if (tenth === 9) return isShort ? '90+' : '90–100%'
  return isShort ? `${tenth * 10}+` : `${tenth * 10}–${tenth * 10 + 9}%`
}
