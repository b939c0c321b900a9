import type { Chart } from './chart'
import { attendanceKinds, type ClassData } from './class-data'
import { fillOf } from './fills'
import type { Format } from './format'
import type { Messages } from './messages'

/** The students of a class as one bar, parted by what became of them; undefined where there is none. */
export function statusChart({ kinds }: ClassData, format: Format, texts: Messages): Chart | undefined {
  const shown = attendanceKinds.filter((kind) => kind !== 'staff' && (kinds[kind] ?? 0) > 0)
  const students = shown.reduce((sum, kind) => sum + (kinds[kind] ?? 0), 0)
  if (students === 0) return undefined
  let from = 0
  const values = shown.map((kind) => {
    const to = from + (kinds[kind] ?? 0)
    const value = { kind, from, to }
    from = to
    return value
  })
  const counts = shown.map((kind) => texts.timeline.counted(format.number(kinds[kind] ?? 0), texts.kinds[kind]))
  return {
    id: 'status',
    title: texts.figures.status,
    summary: `${counts.join(texts.comma)}.`,
    drawing: (width) => ({
      width,
      height: 26,
      padding: { left: 0, top: 0, right: 0, bottom: 0 },
      layer: [
        {
          data: { values },
          mark: { type: 'rect', stroke: 'var(--page)', strokeWidth: 2 },
          encoding: {
            x: { field: 'from', type: 'quantitative', scale: { domain: [0, students], nice: false }, axis: null },
            x2: { field: 'to' },
            y: { value: 0 },
            y2: { value: 26 },
            fill: {
              field: 'kind',
              type: 'nominal',
              scale: { domain: [...attendanceKinds], range: attendanceKinds.map(fillOf) },
              legend: null,
            },
          },
        },
      ],
    }),
  }
}
