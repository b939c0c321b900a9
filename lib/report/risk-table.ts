import { courseName } from './courses-chart'
import type { Format } from './format'
import { type Html, html, isolated } from './html'
import type { Messages } from './messages'
import type { OverviewData, StudentAtRisk } from './overview-data'
import { type SortableColumn, sortableTable } from './table'
import { who } from './who'

/** Students at risk, with why. */
export function riskTable({ atRisk }: OverviewData, format: Format, texts: Messages): Html {
  const { risk: words, none } = texts
  const rows = atRisk.map((student, index) => ({ ...student, number: index + 1 }))
  type Row = (typeof rows)[number]
  const columns: SortableColumn<Row>[] = [
    { title: texts.members.number, value: ({ number }) => format.number(number), isNumber: true, first: 'up' },
    { title: words.student, value: who },
    { title: texts.columns.course, value: ({ course }) => isolated(courseName(course, texts)) },
    {
      title: words.level,
      value: ({ riskLevel }) => {
        const level = words.levels[riskLevel] ?? riskLevel
        return riskLevel === 'high' ? html`<span class="bad">${level}</span>` : level
      },
    },
    { title: words.expected, value: ({ sessions }) => format.number(sessions), isNumber: true },
    { title: words.missed, value: ({ missed }) => format.number(missed), isNumber: true },
    { title: words.absence, value: ({ absenceRate }) => format.percent(absenceRate), isNumber: true },
    {
      title: words.presence,
      value: ({ averagePresentRatio }) => (averagePresentRatio === null ? none : format.percent(averagePresentRatio)),
      isNumber: true,
    },
    { title: words.why, value: (row) => reasons(row, format, texts) },
  ]
  return html`<div class="risk">
${sortableTable({ id: 'at-risk', caption: words.scroll, texts }, rows, columns)}</div>
`
}

function reasons(student: StudentAtRisk, format: Format, texts: Messages): string {
  const { risk: words, comma } = texts
  const { riskReasons, absenceRate, lastMissed, trend } = student
  return riskReasons
    .map((reason) => {
      if (reason === 'absence') return words.absenceReason(format.percent(absenceRate))
      if (reason === 'missed_last') return words.missedReason(format.number(lastMissed))
      return reason === 'trend' ? words.trendReason(format.number(Math.abs(trend ?? 0) * 100)) : reason
    })
    .join(comma)
}
