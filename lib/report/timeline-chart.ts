import type { Chart, ChartWidth } from './chart'
import { type AttendanceKind, attendanceKinds, type ClassData, type ClassMember } from './class-data'
import type { Drawing } from './draw'
import { fillOf } from './fills'
import type { Format } from './format'
import { columnsOf, shortened } from './label'
import type { Messages } from './messages'
import { boundLabels, classBounds, type TimeSpan, timeEncoding, timelineSpan } from './time-axis'

/** More are numbered by tens, and thinner. */
const MOST_NAMED = 60

/** Bars in one image: it fits half a page. */
const BARS = 100

export function kindOf({ isStudent, status }: ClassMember): AttendanceKind {
  return isStudent ? (status ?? 'unknown') : 'staff'
}

interface Bar {
  readonly number: number
  readonly member: ClassMember
  readonly from: number
  readonly to: number
}

/** One bar a member, from the first join to the last quit, in images of a hundred. Empty: nobody is known to have joined. */
export function timelineCharts({ room, members }: ClassData, format: Format, texts: Messages): Chart[] {
  const bars = barsOf(members, room.endedAt)
  const span = timelineSpan(bars, room)
  const isNamed = bars.length <= MOST_NAMED
  const charts: Chart[] = []
  for (let first = 0; first < bars.length; first += isNamed ? MOST_NAMED : BARS) {
    const panel = bars.slice(first, first + (isNamed ? MOST_NAMED : BARS))
    const [from, to] = [panel[0]?.number ?? 0, panel.at(-1)?.number ?? 0]
    const counts = attendanceKinds.flatMap((kind) => {
      const count = panel.filter(({ member }) => kindOf(member) === kind).length
      return count > 0 ? [texts.timeline.counted(format.number(count), texts.kinds[kind])] : []
    })
    charts.push({
      id: `timeline-${from}`,
      title: texts.timeline.panel(format.number(from), format.number(to)),
      summary: texts.timeline.panelSummary(format.time(span.from), format.time(span.to), counts.join(texts.comma)),
      drawing: (width, name) =>
        drawPanel({ panel, span, room, format, texts, width, name, isNamed, isFirst: first === 0 }),
    })
  }
  return charts
}

function barsOf(members: readonly ClassMember[], endedAt: number | null): Bar[] {
  return members.flatMap((member, index) => {
    const { firstJoinAt, lastQuitAt } = member
    if (firstJoinAt === null) return []
    // Without a last quit nobody knows when they left: at the end, at most.
    const to = Math.max(firstJoinAt, lastQuitAt ?? endedAt ?? firstJoinAt)
    return [{ number: index + 1, member, from: firstJoinAt, to }]
  })
}

interface Panel {
  readonly panel: readonly Bar[]
  readonly span: TimeSpan
  readonly room: ClassData['room']
  readonly format: Format
  readonly texts: Messages
  readonly width: number
  readonly name: ChartWidth
  readonly isNamed: boolean
  readonly isFirst: boolean
}

function drawPanel({ panel, span, room, format, texts, width, name, isNamed, isFirst }: Panel): Drawing {
  const pitch = isNamed ? 20 : 5
  const thickness = isNamed ? 12 : 4
  const names = panel.map(({ member }) => shortened(member.userName || member.userId, name === 'wide' ? 24 : 13))
  const left = isNamed ? Math.max(...names.map(columnsOf), 4) * 6.6 + 12 : 40
  const padding = { left, top: isFirst ? 20 : 8, right: 14, bottom: 22 }
  const inner = width - padding.left - padding.right
  const rows = Math.max(panel.length, 1)
  const minimum = (span.to - span.from) / inner
  const values = panel.map(({ member, from, to }, row) => {
    const start = Math.min(Math.max(from, span.from), span.to - minimum)
    const end = Math.max(Math.min(to, span.to), start + minimum)
    return { row, foot: row + thickness / pitch, from: start, to: end, kind: kindOf(member) }
  })
  const labels = panel.flatMap(({ number }, row) => {
    if (isNamed) return [{ middle: row + thickness / pitch / 2, label: names[row] ?? '' }]
    return number % 10 === 0 || row === 0 ? [{ middle: row + thickness / pitch / 2, label: format.number(number) }] : []
  })
  const y = { type: 'quantitative', scale: { domain: [0, rows], reverse: true, nice: false }, axis: null }
  return {
    width,
    height: padding.top + rows * pitch + padding.bottom,
    padding,
    layer: [
      {
        data: { values },
        mark: { type: 'rect', ...(isNamed && { cornerRadius: 2 }) },
        encoding: {
          x: timeEncoding(span, inner, format, 'from'),
          x2: { field: 'to' },
          y: { field: 'row', ...y },
          y2: { field: 'foot' },
          fill: {
            field: 'kind',
            type: 'nominal',
            scale: { domain: [...attendanceKinds], range: attendanceKinds.map(fillOf) },
            legend: null,
          },
        },
      },
      {
        data: { values: labels },
        mark: { type: 'text', align: 'right', baseline: 'middle', fill: isNamed ? 'var(--ink)' : 'var(--soft)' },
        encoding: { x: { value: -8 }, y: { field: 'middle', ...y }, text: { field: 'label' } },
      },
      classBounds(span, [room.startedAt, room.endedAt]),
      ...(isFirst
        ? boundLabels(span, [
            { at: room.startedAt, label: texts.timeline.start, align: 'left' },
            { at: room.endedAt, label: texts.timeline.end, align: 'right' },
          ])
        : []),
    ],
  }
}
