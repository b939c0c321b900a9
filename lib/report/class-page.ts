import { chartFigure, chartImages } from './chart'
import { type Absentee, attendanceKinds, type ClassData, type Finding, listsMembers } from './class-data'
import { classFigures } from './class-figures'
import { concurrencyChart } from './concurrency-chart'
import { facts } from './figures'
import type { Format } from './format'
import { type Content, type Html, html, isolated } from './html'
import { legend } from './legend'
import { memberTable } from './member-table'
import type { Messages } from './messages'
import { type Page, paragraph, section } from './page'
import { presenceChart, tenthLabel } from './presence-chart'
import { chartTable, dataTable } from './table'
import { timelineCharts } from './timeline-chart'
import { who } from './who'

/** The report of one class. */
export async function classPage(data: ClassData, format: Format, texts: Messages): Promise<Page> {
  const { room } = data
  const name = room.name?.trim() || texts.page.room(String(room.roomId))
  const isListed = listsMembers(data)
  return {
    title: `${name} – ${texts.page.classReport}`,
    header: classHeader(name, data, format, texts),
    sections: [
      section('figures', texts.figures.title, await classFigures(data, format, texts)),
      isListed && [
        section('presence', texts.presence.title, await presence(data, format, texts)),
        section('concurrency', texts.concurrency.title, await concurrency(data, format, texts)),
        section('timeline', texts.timeline.title, await timeline(data, format, texts)),
        section('member-list', texts.members.title, memberSection(data, format, texts)),
        section('absentees', texts.absentees.title, absentees(data, format, texts)),
      ],
      room.membersPrunedAt === null && section('quality', texts.quality.title, quality(data.findings, format, texts)),
      isListed && section('reading', texts.reading.title, reading(data, format, texts)),
    ],
    footer: html`${paragraph(texts.page.zone(data.timeZone))}${paragraph(
      texts.page.archived(
        `${format.date(room.archivedAt)} ${format.time(room.archivedAt)}`,
        format.number(room.revision),
      ),
    )}`,
  }
}

function classHeader(
  name: string,
  { room, membersInAll, absenteesInAll }: ClassData,
  format: Format,
  texts: Messages,
): Html {
  const { page } = texts
  const type = room.roomType === null ? undefined : texts.roomTypes[room.roomType]
  const isCourseTold = room.course !== null && room.course !== '(no name)' && room.course !== name
  return html`<p class="eyebrow">${page.classReport}</p>
<h1>${isolated(name)}</h1>
${facts([
  [page.when, whenText(room, format, texts)],
  isCourseTold && [page.course, isolated(room.course ?? '')],
  room.teacherId !== null && [page.teacher, isolated(room.teacherId)],
  type !== undefined && [page.type, type],
  [page.roomId, String(room.roomId)],
  room.sdkAppId !== null && [page.app, String(room.sdkAppId)],
])}${room.membersPrunedAt !== null && callout(page.pruned(format.date(room.membersPrunedAt)))}${
  room.erasedMembers > 0 && callout(page.erased(format.number(room.erasedMembers)))
}${room.membersPrunedAt === null && membersInAll + absenteesInAll === 0 && callout(page.empty)}`
}

function whenText(
  { startedAt, endedAt, scheduledStartAt, scheduledEndAt, lengthSeconds }: ClassData['room'],
  format: Format,
  texts: Messages,
): string {
  const { page } = texts
  const full = (at: number) => `${format.longDate(at)}${texts.comma}${format.time(at)}`
  const until = (from: number, to: number) =>
    format.date(from) === format.date(to) ? format.time(to) : `${format.date(to)} ${format.time(to)}`
  if (startedAt !== null && endedAt !== null)
    return page.times(full(startedAt), until(startedAt, endedAt), format.duration(Math.max(0, lengthSeconds ?? 0)))
  if (startedAt !== null) return page.startOnly(full(startedAt))
  if (endedAt !== null) return page.endOnly(full(endedAt))
  if (scheduledStartAt !== null && scheduledEndAt !== null)
    return `${page.noTimes}${texts.comma}${page.scheduled(full(scheduledStartAt), until(scheduledStartAt, scheduledEndAt))}`
  return page.noTimes
}

async function timeline(data: ClassData, format: Format, texts: Messages): Promise<Content> {
  const { timeline: words } = texts
  const charts = timelineCharts(data, format, texts)
  if (charts.length === 0) return paragraph(words.nobody)
  const figures: Html[] = []
  for (const chart of charts)
    figures.push(html`<figure>
${await chartImages(chart)}</figure>
`)
  const shown = attendanceKinds.filter((kind) => kind !== 'no_show' && (data.kinds[kind] ?? 0) > 0)
  return html`${paragraph(html`${words.intro} ${charts.length > 1 && words.numbers}`)}${
    data.members.length < data.membersInAll &&
    paragraph(words.first(format.number(data.members.length), format.number(data.membersInAll)))
  }${legend(
    words.legend,
    shown.map((kind) => ({ fill: kind, label: texts.kinds[kind], count: format.number(data.kinds[kind] ?? 0) })),
  )}${figures}<p class="on-screen"><a href="#member-list">${words.table}</a></p>
`
}

async function presence(data: ClassData, format: Format, texts: Messages): Promise<Content> {
  const { presence: words } = texts
  const chart = presenceChart(data, format, texts)
  if (!chart) return paragraph(words.nobody)
  const table = chartTable(
    texts,
    words.title,
    data.presence.map((count, tenth) => ({ count, tenth })),
    [
      { title: words.share, value: ({ tenth }) => tenthLabel(tenth) },
      { title: words.count, value: ({ count }) => format.number(count), isNumber: true },
    ],
  )
  return chartFigure(chart, { table })
}

/** As many rows as a reader can go through. */
const CURVE_ROWS = 60

async function concurrency(data: ClassData, format: Format, texts: Messages): Promise<Content> {
  const { concurrency: words } = texts
  const chart = concurrencyChart(data, format, texts)
  if (!chart) return paragraph(words.nobody)
  const every = Math.ceil(data.concurrency.length / CURVE_ROWS)
  const rows = data.concurrency.filter((_, index) => index % every === 0)
  const table = chartTable(texts, words.title, rows, [
    { title: words.time, value: ({ at }) => format.preciseTime(at) },
    { title: words.members, value: ({ members }) => format.number(members), isNumber: true },
  ])
  return chartFigure(chart, { note: words.note, table })
}

function memberSection(data: ClassData, format: Format, texts: Messages): Content {
  const { members: words } = texts
  if (data.members.length === 0) return paragraph(words.nobody)
  return html`${
    data.members.length < data.membersInAll &&
    paragraph(texts.timeline.first(format.number(data.members.length), format.number(data.membersInAll)))
  }<p class="note on-screen">${words.intro}</p>
<p class="note">${words.legend}</p>
${memberTable(data, format, texts)}`
}

function absentees({ absentees: list, absenteesInAll, room }: ClassData, format: Format, texts: Messages): Content {
  const { absentees: words } = texts
  if (!room.rosterKnown) return paragraph(words.noRoster)
  if (absenteesInAll === 0) return paragraph(words.none)
  const item = ({ groupId, ...member }: Absentee) =>
    html`<li>${who(member)}${groupId !== null && html` <small>${words.group(groupId)}</small>`}</li>
`
  return html`${paragraph([
    words.intro(format.number(absenteesInAll)),
    list.length < absenteesInAll && ` ${words.more(format.number(list.length), format.number(absenteesInAll))}`,
  ])}<ul class="columns">
${list.map(item)}</ul>
`
}

function quality(findings: readonly Finding[], format: Format, texts: Messages): Content {
  const { quality: words, none } = texts
  if (findings.length === 0) return paragraph(words.none)
  const numberOr = (value: number | null) => (value === null ? none : format.number(value))
  const table = dataTable(words.title, findings, [
    {
      title: words.finding,
      value({ finding, label, explanation }) {
        const [title, meaning] = words.findings[finding] ?? [label, explanation]
        return html`${title}<br><small>${meaning}</small>`
      },
    },
    { title: words.kind, value: ({ isContradiction }) => (isContradiction ? words.contradiction : words.notice) },
    { title: words.count, value: ({ count }) => format.number(count), isNumber: true },
    {
      title: words.values,
      value: ({ userIds, lcicValue, archiveValue }) =>
        userIds.length > 0 ? none : `${numberOr(lcicValue)} / ${numberOr(archiveValue)}`,
      isNumber: true,
    },
    {
      title: words.members,
      value: ({ userIds, count }) => [
        userIds.length === 0 && none,
        userIds.map((userId, index) => [index > 0 && texts.comma, isolated(userId)]),
        count > userIds.length && userIds.length > 0 && ` ${words.more}`,
      ],
    },
  ])
  return html`<p class="note">${words.intro}</p>
${table}`
}

function reading({ thresholds }: ClassData, format: Format, { reading: words }: Messages): Content {
  const { attendedRatio, lateAfterSeconds, earlyBeforeSeconds } = thresholds
  return [
    words.attended(format.percent(attendedRatio)),
    words.late(format.duration(lateAfterSeconds), format.duration(earlyBeforeSeconds)),
    words.absent,
    words.score,
  ].map(
    (text) => html`<p class="note">${text}</p>
`,
  )
}

function callout(text: string): Html {
  return html`<p class="callout">${text}</p>
`
}
