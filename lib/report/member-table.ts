import type { ClassData, ClassMember } from './class-data'
import type { Format } from './format'
import { type Html, html } from './html'
import type { Messages } from './messages'
import { type SortableColumn, sortableTable } from './table'
import { kindOf } from './timeline-chart'
import { who } from './who'

/** Everybody who came, with what they did; to be sorted by any column. */
export function memberTable({ members }: ClassData, format: Format, texts: Messages): Html {
  const { members: words, none } = texts
  const rows = members.map((member, index) => ({ ...member, number: index + 1 }))
  type Row = (typeof rows)[number]
  const count = (title: string, value: (row: Row) => number | null): SortableColumn<Row> => ({
    title,
    isNumber: true,
    value: (row) => shown(value(row), format.number, none),
  })
  const minutes = (seconds: number | null) => (seconds === null ? null : Math.round(seconds / 60))
  const time = (title: string, at: (row: Row) => number | null): SortableColumn<Row> => ({
    title,
    isNumber: true,
    first: 'up',
    value: (row) => shown(at(row), format.time, none),
    key: (row) => secondsSince(members[0]?.firstJoinAt, at(row)),
  })
  const columns: SortableColumn<Row>[] = [
    { ...count(words.number, ({ number }) => number), first: 'up' },
    { title: words.member, value: who },
    { title: words.status, value: (row) => statusText(row, format, texts) },
    time(words.joined, ({ firstJoinAt }) => firstJoinAt),
    time(words.left, ({ lastQuitAt }) => lastQuitAt),
    count(words.minutes, ({ presentSeconds }) => minutes(presentSeconds)),
    { title: words.share, isNumber: true, value: ({ presentRatio }) => shown(presentRatio, format.percent, none) },
    count(words.away, ({ awaySeconds }) => minutes(awaySeconds)),
    count(words.mic, ({ micCount }) => micCount),
    count(words.messages, ({ messageCount }) => messageCount),
    count(words.hands, ({ handUps }) => handUps),
    count(words.answers, ({ answers }) => answers),
    count(words.rewards, ({ rewards }) => rewards),
    {
      title: words.score,
      isNumber: true,
      value: ({ engagementScore }) => shown(engagementScore, format.decimal, none),
    },
  ]
  return html`<div class="members">
${sortableTable({ id: 'members', caption: words.scroll, texts }, rows, columns)}</div>
`
}

function statusText(member: ClassMember, format: Format, texts: Messages): string {
  const kind = kindOf(member)
  const minutes = (seconds: number | null) => format.number(Math.max(1, Math.floor((seconds ?? 0) / 60)))
  if (kind === 'staff') return texts.roles[member.role ?? -1] ?? texts.kinds.staff
  if (kind === 'late') return texts.members.late(minutes(member.lateSeconds))
  if (kind === 'left_early') return texts.members.leftEarly(minutes(member.earlySeconds))
  return kind === 'unknown' ? texts.none : texts.kinds[kind]
}

function shown(value: number | null, text: (value: number) => string, none: string): string {
  return value === null ? none : text(value)
}

function secondsSince(from: number | null | undefined, at: number | null): number | null {
  return at === null ? null : Math.round((at - (from ?? 0)) / 1000)
}
