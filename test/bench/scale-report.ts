import { availableParallelism, cpus } from 'node:os'
import Table from 'cli-table3'
import type { ArchiveCost } from './archive-cost'
import type { Answer } from './ask-questions'
import type { ParquetCost } from './parquet-questions'
import type { Partitioning } from './partition-members'
import { quantile } from './quantile'
import { type ArchivingCosts, steps } from './scale-rooms'
import { isGrowing, type TableSize } from './table-sizes'

export interface ScaleResult {
  /** Of the large archive. */
  readonly rooms: number
  readonly partitioning: Partitioning | undefined
  readonly fillSeconds: number
  /** Rooms that were rebuilt from their raw pages, and are the same. */
  readonly checked: number
  readonly sizes: readonly TableSize[]
  /** Seconds: of all that was loaded, of what came afterwards, and of all indexes once members all over the table had changed. */
  readonly vacuum: Readonly<Record<'first' | 'afterRounds' | 'changed', Readonly<Record<string, number>>>>
  /** Milliseconds of each claim. */
  readonly claims: { readonly large: readonly number[]; readonly empty: readonly number[]; readonly rooms: number }
  readonly archiving: ArchivingCosts
  readonly answers: readonly Answer[]
  readonly parquet?: ParquetCost
}

export function textReport(result: ScaleResult, withPlans: boolean): string {
  const { rooms, partitioning, fillSeconds, checked, parquet } = result
  const spread = partitioning
    ? `, member records in ${partitioning.partitions} partitions by ${partitioning.by} of room_id`
    : ''
  const tables = [
    `${machine()}\n${count(rooms)} rooms${spread}, made in ${fillSeconds.toFixed(0)} s; ${checked} of them rebuilt from raw pages: the same`,
    archivingTable(result.archiving),
    claimTable(result.claims),
    sizeTable(result),
    answerTable(result.answers),
    ...(parquet ? [parquetTable(parquet)] : []),
    ...misses(result),
    ...(withPlans ? result.answers.map(({ question: { view, scope }, plan }) => `${view}, one ${scope}\n${plan}`) : []),
  ]
  return `${tables.join('\n\n')}\n`
}

/** How many times as much as in an empty archive a room may take. */
const MOST_TIMES = 1.3

/** What was promised and is not so. */
export function misses({ archiving, answers }: ScaleResult): string[] {
  const slow = steps.flatMap((step) =>
    figures
      .filter(({ isPromised }) => isPromised)
      .map((figure) => ({
        title: `${step}, ${figure.title}`,
        times: perRoom(archiving[step].large, figure) / perRoom(archiving[step].empty, figure),
      }))
      .filter(({ times }) => times > MOST_TIMES)
      .map(({ title, times }) => `${title}: ${fixed(times, 2)} times as much as in an empty archive`),
  )
  const wholes = answers
    .filter(({ cost }) => cost.wholeTables.includes('member_records'))
    .map(({ question: { view, scope } }) => `${view}, one ${scope}: reads all of member_records`)
  return [...slow, ...wholes]
}

/** The same, and the figures of each round. */
export function jsonReport(result: ScaleResult): string {
  const answers = result.answers.map(({ question: { view, scope }, plan, ...figures }) => ({ view, scope, ...figures }))
  return `${JSON.stringify({ machine: machine(), ...result, answers, misses: misses(result) }, null, 2)}\n`
}

interface Figure {
  readonly title: string
  readonly digits: number
  /** Of one round, for all of its rooms. */
  readonly of: (cost: ArchiveCost) => number
  /** What is taken of all rounds: times by the clock have outliers; what is counted adds up. */
  readonly by: 'median' | 'mean'
  /** In an empty archive there is next to nothing of it. */
  readonly onlyLarge?: true
  readonly isPromised?: true
}

const figures: readonly Figure[] = [
  { title: 'ms', digits: 2, of: ({ wallMs }) => wallMs, by: 'median', isPromised: true },
  { title: 'CPU ms: client', digits: 2, of: ({ cpuMs }) => cpuMs, by: 'mean' },
  { title: 'server', digits: 2, of: ({ serverCpuMs }) => serverCpuMs ?? Number.NaN, by: 'mean' },
  {
    title: 'both',
    digits: 2,
    of: ({ cpuMs, serverCpuMs = Number.NaN }) => cpuMs + serverCpuMs,
    by: 'mean',
    isPromised: true,
  },
  { title: 'WAL KB', digits: 1, of: ({ walBytes }) => walBytes / 1024, by: 'mean' },
  { title: 'whole pages in it', digits: 2, of: ({ fullPages }) => fullPages, by: 'mean', onlyLarge: true },
  { title: 'buffers', digits: 0, of: ({ buffers }) => buffers, by: 'mean' },
  { title: 'not in memory', digits: 1, of: ({ reads }) => reads, by: 'mean', onlyLarge: true },
]

function archivingTable(costs: ArchivingCosts): string {
  const table = tableOf(['a room', '', ...figures.map(({ title }) => title)])
  for (const step of steps) {
    const large = figures.map((figure) => perRoom(costs[step].large, figure))
    const empty = figures.map((figure) => perRoom(costs[step].empty, figure))
    const row = (values: readonly number[]) => values.map((value, at) => fixed(value, figures[at]?.digits ?? 0))
    table.push([step, 'large archive', ...row(large)])
    table.push(['', 'empty archive', ...row(empty)])
    table.push([
      '',
      'times',
      ...large.map((value, at) => (figures[at]?.onlyLarge ? '' : fixed(value / (empty[at] ?? Number.NaN), 2))),
    ])
  }
  return table.toString()
}

function perRoom(costs: readonly ArchiveCost[], { of, by }: Figure): number {
  const values = costs.map((cost) => of(cost) / cost.rooms)
  return by === 'median' ? quantile(values, 0.5) : values.reduce((sum, value) => sum + value, 0) / values.length
}

function claimTable({ large, empty, rooms }: ScaleResult['claims']): string {
  const table = tableOf([`claim of ${rooms}, 500 due`, 'median ms', 'p95 ms'])
  for (const [name, ms] of Object.entries({ 'large archive': large, 'empty archive': empty }))
    table.push([name, fixed(quantile(ms, 0.5), 2), fixed(quantile(ms, 0.95), 2)])
  const times = (share: number) => fixed(quantile(large, share) / quantile(empty, share), 2)
  table.push(['times', times(0.5), times(0.95)])
  return table.toString()
}

const MEGABYTE = 1024 * 1024

function sizeTable({ sizes, vacuum, archiving }: ScaleResult): string {
  const added = steps.slice(0, 2).flatMap((step) => archiving[step].large)
  const members = added.reduce((sum, { rows }) => sum + rows, 0)
  const table = tableOf([
    'table, its indexes',
    'rows',
    'MB',
    'bytes a row',
    'vacuum s',
    `${count(members)} members later`,
    '0.1 % of the rooms changed',
  ])
  for (const { table: name, rows, tableBytes, indexBytes } of sizes) {
    const seconds = [vacuum.first[name], vacuum.afterRounds[name], vacuum.changed[name]]
    const size = (bytes: number) => [count(bytes / MEGABYTE), fixed(bytes / rows, 1)]
    table.push([name, count(rows), ...size(tableBytes), ...seconds.map((value) => fixed(value, 1))])
    for (const [index, bytes] of Object.entries(indexBytes)) table.push([`  ${index}`, '', ...size(bytes), '', '', ''])
  }
  return table.toString()
}

function answerTable(answers: readonly Answer[]): string {
  const table = tableOf(['view', 'one', 'ms', 'ms, tenant', 'rows', 'pages of 8 KB', 'rows read', 'read whole'])
  for (const { question, ms, rows, cost } of answers) {
    const { view, scope } = question
    const read = [
      count(cost.buffers),
      count(cost.scanned),
      [...new Set(cost.wholeTables)].filter((name) => isGrowing(name)).join(', '),
    ]
    table.push([view, scope, fixed(ms.analyst, 1), fixed(ms.tenant, 1), count(rows), ...read])
  }
  return table.toString()
}

function parquetTable({ cost, answers }: ParquetCost): string {
  const { rows, files, wallMs, bytes, cpuMs, serverCpuMs, peakRssBytes } = cost
  const table = tableOf(['DuckDB, fact_attendance', 'ms'])
  for (const { question, ms } of answers) table.push([question, fixed(ms, 0)])
  return [
    `Export: ${count(rows)} rows, ${files} files, ${fixed(wallMs / 1000, 0)} s, ${fixed(bytes / rows, 1)} bytes a row; ` +
      `CPU ${fixed(cpuMs / 1000, 0)} s, server ${fixed(serverCpuMs / 1000, 0)} s; at most ${count(peakRssBytes / MEGABYTE)} MB`,
    table.toString(),
  ].join('\n')
}

function tableOf(head: string[]) {
  return new Table({
    head,
    colAligns: head.map((_, at) => (at === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  })
}

function fixed(value: number | undefined, digits: number): string {
  if (value === undefined || !Number.isFinite(value)) return '–'
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function machine(): string {
  return `Node ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}`
}
