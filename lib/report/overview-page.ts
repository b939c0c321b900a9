import { type Chart, chartFigure, chartImages } from './chart'
import { completenessChart, stateFills } from './completeness-chart'
import { courseName, coursesChart } from './courses-chart'
import { facts, tiles } from './figures'
import type { Format } from './format'
import { type Content, type Html, html, isolated } from './html'
import { legend } from './legend'
import type { Messages } from './messages'
import {
  type AttendanceFigures,
  type Completeness,
  type CompletenessPeriod,
  type CourseFigures,
  completenessStates,
  type Freshness,
  type OverviewData,
  type Period,
  rateOf,
} from './overview-data'
import { type Page, paragraph, section } from './page'
import { riskTable } from './risk-table'
import { chartTable, dataTable, type TableColumn } from './table'
import { weeksChart } from './weeks-chart'

/** The report of all classes of a span of time. */
export async function overviewPage(data: OverviewData, format: Format, texts: Messages): Promise<Page> {
  const { overview: words } = texts
  const span = spanText(data, format, texts)
  const hasClasses = data.totals.classes > 0
  const title = data.periodLength === 'week' ? texts.weeks.title : texts.weeks.byMonth
  return {
    title: `${words.title} – ${span}`,
    header: html`<p class="eyebrow">${words.title}</p>
<h1>${span}</h1>
${facts([[texts.page.course, data.course === null ? words.allCourses : isolated(courseName(data.course, texts))]])}${
  !hasClasses &&
  html`<p class="callout">${words.empty}</p>
`
}`,
    sections: [
      hasClasses && [
        section('figures', texts.figures.title, glance(data, format, texts)),
        section('by-week', title, await weeks(data, format, texts)),
        data.course === null && section('by-course', texts.courses.title, await courses(data, format, texts)),
        section('risk', texts.risk.title, risk(data, format, texts)),
      ],
      section('completeness', texts.completeness.title, await completeness(data, format, texts)),
    ],
    footer: paragraph(texts.page.zone(data.timeZone)),
  }
}

/** The last moment of the span is the one before its end: a day after the last one is not named. */
function spanText({ from, to }: OverviewData, format: Format, { overview }: Messages): string {
  const isMidnight = (at: number) => at % 86_400_000 === 0
  const text = (at: number, isWhole: boolean) => (isWhole ? format.date(at) : `${format.date(at)} ${format.time(at)}`)
  const [first, last] = [text(from, isMidnight(from)), isMidnight(to) ? text(to - 1, true) : text(to, false)]
  return first === last ? first : overview.span(first, last)
}

function glance({ totals, atRiskInAll }: OverviewData, format: Format, texts: Messages): Content {
  const { overview: words } = texts
  const rate = rateOf(totals)
  return html`${tiles([
    rate !== null && {
      label: words.attendance,
      value: format.percent(rate),
      about: words.attendanceOf(format.number(totals.attended), format.number(totals.expected)),
    },
    totals.averagePresentRatio !== null && {
      label: words.presence,
      value: format.percent(totals.averagePresentRatio),
      about: words.presenceNote,
    },
    { label: words.classes, value: format.number(totals.classes), about: words.hours(format.number(totals.hours)) },
    { label: words.students, value: format.number(totals.students), about: words.studentsNote },
    { label: words.late, value: format.number(totals.late), about: words.times },
    { label: words.atRisk, value: format.number(atRiskInAll), about: words.atRiskNote },
  ])}${
    totals.listedClasses < totals.classes &&
    html`<p class="note">${words.roster(format.number(totals.listedClasses), format.number(totals.classes))}</p>
`
  }`
}

async function weeks(data: OverviewData, format: Format, texts: Messages): Promise<Content> {
  const { weeks: words } = texts
  const isWeek = data.periodLength === 'week'
  const table = chartTable(texts, isWeek ? words.title : words.byMonth, data.periods, [
    {
      title: isWeek ? words.week : words.month,
      value: ({ start }: Period) => (isWeek ? format.date(start) : format.month(start)),
    },
    ...attendanceColumns<Period>(format, texts),
  ])
  return withChart(weeksChart(data, format, texts), words.nothing, table)
}

async function courses(data: OverviewData, format: Format, texts: Messages): Promise<Content> {
  const { courses: words, columns } = texts
  const [classes, ...others] = attendanceColumns<CourseFigures>(format, texts)
  const isCut = data.courses.length < data.coursesInAll
  const table = dataTable(words.title, data.courses, [
    { title: columns.course, value: ({ course }: CourseFigures) => isolated(courseName(course, texts)) },
    ...(classes ? [classes] : []),
    { title: columns.students, value: ({ students }) => format.number(students ?? 0), isNumber: true },
    ...others,
  ])
  return [
    await withChart(coursesChart(data, format, texts), words.noRates, table),
    isCut &&
      html`<p class="note">${words.more(format.number(data.courses.length), format.number(data.coursesInAll))}</p>
`,
  ]
}

async function withChart(chart: Chart | undefined, nothing: string, table: Html): Promise<Content> {
  return chart ? chartFigure(chart, { table }) : [paragraph(nothing), table]
}

function attendanceColumns<Row extends AttendanceFigures>(
  format: Format,
  { columns, none }: Messages,
): TableColumn<Row>[] {
  const numeric = (title: string, value: (row: Row) => string): TableColumn<Row> => ({ title, value, isNumber: true })
  const share = (value: number | null) => (value === null ? none : format.percent(value))
  const listed = ({ listedClasses }: Row, count: number) => (listedClasses > 0 ? format.number(count) : none)
  return [
    numeric(columns.classes, ({ classes }) => format.number(classes)),
    numeric(columns.expected, (row) => listed(row, row.expected)),
    numeric(columns.attended, (row) => listed(row, row.attended)),
    numeric(columns.rate, (row) => share(rateOf(row))),
    numeric(columns.absent, (row) => listed(row, row.absent)),
    numeric(columns.late, ({ late }) => format.number(late)),
    numeric(columns.leftEarly, ({ leftEarly }) => format.number(leftEarly)),
    numeric(columns.presence, ({ averagePresentRatio }) => share(averagePresentRatio)),
  ]
}

function risk(data: OverviewData, format: Format, texts: Messages): Content {
  const { risk: words } = texts
  const { atRisk, atRiskInAll } = data
  return [
    html`<p class="note">${words.intro(format.number(data.riskSessions))}</p>
`,
    atRiskInAll === 0 ? paragraph(words.none) : riskTable(data, format, texts),
    atRisk.length < atRiskInAll &&
      html`<p class="note">${words.more(format.number(atRisk.length), format.number(atRiskInAll))}</p>
`,
  ]
}

async function completeness(data: OverviewData, format: Format, texts: Messages): Promise<Content> {
  const { completeness: words } = texts
  const { periods, periodLength, lacking, lackingInAll, apps } = data.completeness
  const chart = completenessChart(data, format, texts)
  const isDay = periodLength === 'day'
  return [
    chart
      ? [
          html`<p>${chart.summary}${data.course !== null && html` <span class="note">${words.allCourses}</span>`}</p>
`,
          legend(words.chart, legendOf(data.completeness, format, texts)),
          html`<figure>
${await chartImages(chart)}${chartTable(texts, words.chart, periods, stateColumns(isDay ? words.day : words.week, format, texts))}</figure>
`,
        ]
      : paragraph(words.nothing),
    lacking.length > 0 && [
      html`<h3>${words.lacking}</h3>
`,
      dataTable(words.lacking, lacking, stateColumns(words.day, format, texts)),
      lacking.length < lackingInAll &&
        html`<p class="note">${words.lackingMore(format.number(lacking.length), format.number(lackingInAll))}</p>
`,
    ],
    apps.length > 0 && [
      html`<h3>${words.freshness}</h3>
`,
      freshness(apps, format, texts),
    ],
  ]
}

function legendOf({ periods }: Completeness, format: Format, texts: Messages) {
  return completenessStates.flatMap((state) => {
    const rooms = periods.reduce((sum, period) => sum + period[state], 0)
    const label = texts.completeness.states[state]
    return rooms > 0 ? [{ fill: stateFills[state], label, count: format.number(rooms) }] : []
  })
}

function stateColumns(
  title: string,
  format: Format,
  { completeness: words }: Messages,
): TableColumn<CompletenessPeriod>[] {
  return [
    { title, value: ({ start }) => format.date(start) },
    { title: words.ended, value: ({ ended }) => format.number(ended), isNumber: true },
    ...completenessStates.map((state) => ({
      title: words.states[state],
      value: (period: CompletenessPeriod) => format.number(period[state]),
      isNumber: true,
    })),
  ]
}

function freshness(apps: readonly Freshness[], format: Format, texts: Messages): Content {
  const { completeness: words, none } = texts
  const moment = (at: number) => `${format.date(at)} ${format.time(at)}`
  return dataTable(words.freshness, apps, [
    { title: words.app, value: ({ sdkAppId }) => (sdkAppId === null ? texts.unknown : String(sdkAppId)) },
    {
      title: words.known,
      value: ({ sweptFrom, sweptUntil }) =>
        sweptFrom === null || sweptUntil === null
          ? words.unknownApp
          : words.knownSpan(moment(sweptFrom), moment(sweptUntil)),
    },
    { title: words.waitingRooms, value: ({ waitingRooms }) => format.number(waitingRooms), isNumber: true },
    {
      title: words.lag,
      value: ({ lagSecondsP50: half, lagSecondsP95: most }) =>
        half === null || most === null ? none : `${format.duration(half)} / ${format.duration(most)}`,
    },
  ])
}
