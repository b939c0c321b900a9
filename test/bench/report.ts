import { availableParallelism, cpus } from 'node:os'
import Table from 'cli-table3'
import type { Measured } from './steps'

/** What one step cost, once. */
export interface Cost extends Measured {
  readonly walBytes: number
  readonly serverCpuMs?: number
}

/** What each step cost each time; the first is what the others are compared with. */
export type StepCosts = Map<string, Cost[]>

const MEGABYTE = 1024 * 1024

const columns = [
  { title: 'rows/s', of: ({ rows, wallMs }: Cost) => (rows / wallMs) * 1000, digits: 0 },
  { title: 'pull ms', of: ({ pullMs }: Cost) => pullMs, digits: 0 },
  { title: 'merge ms', of: ({ pullMs, wallMs }: Cost) => pullMs && wallMs - pullMs, digits: 0 },
  { title: 'client CPU ms/1,000', of: ({ rows, cpuMs }: Cost) => (cpuMs / rows) * 1000, digits: 2 },
  {
    title: 'server CPU ms/1,000',
    of: ({ rows, serverCpuMs }: Cost) => serverCpuMs && (serverCpuMs / rows) * 1000,
    digits: 2,
  },
  { title: 'peak RSS MB', of: ({ peakRssBytes }: Cost) => peakRssBytes / MEGABYTE, digits: 0 },
  { title: 'WAL MB', of: ({ walBytes }: Cost) => walBytes / MEGABYTE, digits: 1 },
  { title: 'WAL bytes/row', of: ({ rows, walBytes }: Cost) => walBytes / rows, digits: 0 },
] as const

/** Medians of all rounds, and the time of each step as a multiple of the first one's. */
export function textReport(costs: StepCosts, members: number): string {
  const table = new Table({
    head: ['', ...columns.map(({ title }) => title), 'time, COPY = 1'],
    colAligns: ['left', ...columns.map(() => 'right' as const), 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const [step, values] of costs) {
    const figures = columns.map(({ of, digits }) => formatted(median(values.map(of)), digits))
    table.push([step, ...figures, formatted(timesTheFirst(costs, values), 2)])
  }
  return `${members} members, medians; ${machine()}\n${table}\n`
}

/** The same, and each round's figures. */
export function jsonReport(costs: StepCosts, members: number): string {
  const steps = [...costs].map(([step, values]) => ({
    step,
    medians: Object.fromEntries(columns.map(({ title, of }) => [title, median(values.map(of))])),
    timesCopy: timesTheFirst(costs, values),
    rounds: values,
  }))
  return `${JSON.stringify({ members, machine: machine(), steps }, null, 2)}\n`
}

function timesTheFirst(costs: StepCosts, values: readonly Cost[]): number | undefined {
  const [first = []] = costs.values()
  const floorMs = median(first.map(({ wallMs }) => wallMs))
  const wallMs = median(values.map((cost) => cost.wallMs))
  return floorMs && wallMs && wallMs / floorMs
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)]
  const lower = sorted[Math.ceil(middle) - 1]
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2
}

function formatted(value: number | undefined, digits: number): string {
  if (value === undefined) return '–'
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function machine(): string {
  return `Node ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}`
}
