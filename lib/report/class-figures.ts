import { chartImages } from './chart'
import { attendanceKinds, type ClassData, listsMembers } from './class-data'
import { tiles } from './figures'
import type { Format } from './format'
import { type Content, html } from './html'
import { legend } from './legend'
import type { Messages } from './messages'
import { paragraph } from './page'
import { statusChart } from './status-chart'

/** The class in figures, and what became of its students. */
export async function classFigures(data: ClassData, format: Format, texts: Messages): Promise<Content> {
  const { figures: f, room, thresholds } = data
  const { figures: words } = texts
  const isListed = listsMembers(data)
  const isMeasured = (room.lengthSeconds ?? 0) > 0
  const number = (label: string, value: number | null, about: string) =>
    value !== null && { label, value: format.number(value), about }
  const chart = isListed ? statusChart(data, format, texts) : undefined
  const shown = attendanceKinds.filter((kind) => kind !== 'staff' && (data.kinds[kind] ?? 0) > 0)
  return html`${tiles([
    isListed && isMeasured && attendanceTile(data, format, texts),
    isListed && !isMeasured && number(words.joined, f.joined, words.joinedNote),
    isListed &&
      isMeasured &&
      f.averagePresentRatio !== null && {
        label: words.presence,
        value: format.percent(f.averagePresentRatio),
        about: words.presenceNote,
      },
    isListed &&
      room.startedAt !== null &&
      number(words.late, f.late, words.lateNote(format.duration(thresholds.lateAfterSeconds))),
    isListed &&
      room.endedAt !== null &&
      number(words.leftEarly, f.leftEarly, words.leftEarlyNote(format.duration(thresholds.earlyBeforeSeconds))),
    isListed && number(words.absent, f.noShow, words.absentNote),
    number(words.peak, f.peakMembers, words.peakNote),
    isListed &&
      f.averageEngagement !== null && {
        label: words.engagement,
        value: format.decimal(f.averageEngagement),
        about: words.engagementNote,
      },
    number(words.messages, f.messageCount, words.inAll),
    number(words.mic, f.micCount, words.inAll),
    isListed && number(words.handUps, f.handUps, words.ofStudents),
    isListed && number(words.answers, f.answers, words.ofStudents),
    isListed && number(words.rewards, f.rewards, words.toStudents),
  ])}${isListed && !isMeasured && paragraph(words.notMeasured)}${chart && (await chartImages(chart))}${
    chart &&
    legend(
      words.status,
      shown.map((kind) => ({ fill: kind, label: texts.kinds[kind], count: format.number(data.kinds[kind] ?? 0) })),
    )
  }`
}

function attendanceTile({ figures: f, room }: ClassData, format: Format, { figures: words }: Messages) {
  const [attended, joined, expected] = [f.attended, f.joined, f.expected].map((count) => format.number(count ?? 0))
  return room.rosterKnown && f.attendanceRate !== null
    ? {
        label: words.attendance,
        value: format.percent(f.attendanceRate),
        about: words.attendanceOf(attended ?? '', expected ?? ''),
      }
    : { label: words.attended, value: attended ?? '', about: words.attendedOf(joined ?? '') }
}
