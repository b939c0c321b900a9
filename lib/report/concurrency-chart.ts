import type { Chart } from './chart'
import type { ClassData } from './class-data'
import type { Format } from './format'
import type { Messages } from './messages'
import { boundLabels, classBounds, timeEncoding, timelineSpan } from './time-axis'

/** How many were there at a time, at most; undefined where nobody is known to have joined. */
export function concurrencyChart(data: ClassData, format: Format, texts: Messages): Chart | undefined {
  const { concurrency, room, figures } = data
  const [first] = concurrency
  const last = concurrency.at(-1)
  if (!first || !last) return undefined
  const highest = concurrency.reduce((best, point) => (point.members > best.members ? point : best), first)
  const { peakMembers } = figures
  const span = timelineSpan([{ from: first.at, to: last.at }], room)
  return {
    id: 'concurrency',
    title: texts.concurrency.title,
    summary: texts.concurrency.summary(
      format.number(highest.members),
      format.time(highest.at),
      peakMembers === null ? undefined : format.number(peakMembers),
    ),
    drawing(width) {
      const padding = { left: 40, top: 22, right: 14, bottom: 22 }
      const inner = width - padding.left - padding.right
      const most = Math.max(highest.members, peakMembers ?? 0, 1)
      const x = timeEncoding(span, inner, format, 'at')
      const y = {
        field: 'members',
        type: 'quantitative',
        scale: { domain: [0, most * 1.15], nice: false },
        axis: { tickCount: 4, tickMinStep: 1, title: null, domain: false, ticks: false, format: ',d' },
      }
      const inside = stepsWithin(concurrency, span)
      return {
        width,
        height: 220,
        padding,
        layer: [
          {
            data: { values: inside },
            mark: { type: 'area', interpolate: 'step-after', fill: 'var(--present)', fillOpacity: 0.18 },
            encoding: { x, y },
          },
          {
            data: { values: inside },
            mark: { type: 'line', interpolate: 'step-after', stroke: 'var(--present)', strokeWidth: 1.5 },
            encoding: { x, y },
          },
          classBounds(span, [room.startedAt, room.endedAt]),
          ...boundLabels(span, [
            { at: room.startedAt, label: texts.timeline.start, align: 'left' },
            { at: room.endedAt, label: texts.timeline.end, align: 'right' },
          ]),
          ...(peakMembers === null
            ? []
            : peakRule(peakMembers, highest.members, {
                inner,
                y,
                label: texts.concurrency.peak(format.number(peakMembers)),
              })),
        ],
      }
    },
  }
}

/** LCIC's peak as a line, and its label on the side where the curve is not. */
function peakRule(
  members: number,
  highest: number,
  { inner, y, label }: { readonly inner: number; readonly y: object; readonly label: string },
): object[] {
  const data = { values: [{ members, label }] }
  const side = members >= highest ? { baseline: 'bottom', dy: -4 } : { baseline: 'top', dy: 5 }
  return [
    { data, mark: { type: 'rule', stroke: 'var(--ink)', strokeWidth: 1.2, strokeDash: [8, 3] }, encoding: { y } },
    {
      data,
      mark: { type: 'text', align: 'center', ...side },
      encoding: { x: { value: inner / 2 }, y, text: { field: 'label' } },
    },
  ]
}

/** The curve between two times: with its height where the span begins, and up to where it ends. */
function stepsWithin(points: ClassData['concurrency'], { from, to }: { from: number; to: number }) {
  const before = points.findLast(({ at }) => at <= from)
  const after = points.filter(({ at }) => at > from && at <= to)
  const last = after.at(-1) ?? before
  return [
    ...(before ? [{ at: from, members: before.members }] : []),
    ...after,
    ...(last ? [{ at: to, members: last.members }] : []),
  ]
}
