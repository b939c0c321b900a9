import { availableParallelism, cpus } from 'node:os'
import Table from 'cli-table3'
import { copyFloor, dlt, product, type Step, script } from './contestants'
import type { Measured, SchoolSize } from './steps'

/** What one step cost, once. */
export interface Cost extends Measured {
  readonly walBytes: number
  readonly serverCpuMs?: number
}

/** What each contestant's steps cost, each time. */
export interface CaseCosts {
  readonly name: string
  readonly size: SchoolSize
  readonly costs: ReadonlyMap<string, ReadonlyMap<Step, readonly Cost[]>>
}

const MEGABYTE = 1024 * 1024

interface Column {
  readonly title: string
  readonly digits: number
  of(cost: Cost, size: SchoolSize): number | undefined
}

const perThousand = (value: number | undefined, { rows }: Cost) => value && (value / rows) * 1000

const columns: readonly Column[] = [
  { title: 'rows/s', of: ({ rows, wallMs }) => (rows / wallMs) * 1000, digits: 0 },
  { title: 'rooms/s', of: ({ wallMs }, { rooms }) => (rooms / wallMs) * 1000, digits: 1 },
  { title: 'CPU ms/1,000: client', of: (cost) => perThousand(cost.cpuMs, cost), digits: 2 },
  { title: 'server', of: (cost) => perThousand(cost.serverCpuMs, cost), digits: 2 },
  {
    title: 'CPU ms/room, both',
    of: ({ cpuMs, serverCpuMs }, { rooms }) => serverCpuMs && (cpuMs + serverCpuMs) / rooms,
    digits: 2,
  },
  { title: 'peak RSS MB', of: ({ peakRssBytes }) => peakRssBytes / MEGABYTE, digits: 0 },
  { title: 'WAL bytes/row', of: ({ rows, walBytes }) => walBytes / rows, digits: 0 },
  { title: 'rows written', of: ({ written }) => written, digits: 0 },
  { title: 'statements/room', of: ({ statements }, { rooms }) => statements && statements / rooms, digits: 2 },
]

/** Medians of all rounds, and how many times as long as the product each contestant took for the same step. */
export function textReport(cases: readonly CaseCosts[]): string {
  const tables = cases.map((of) => `${title(of)}\n${tableOf(of)}\n${ratios(of).join('\n')}\n`)
  return `${machine()}\n\n${tables.join('\n')}`
}

function tableOf({ costs, size }: CaseCosts): string {
  const table = new Table({
    head: ['', 'load', ...columns.map(({ title }) => title), `time, ${product} = 1`],
    colAligns: ['left', 'left', ...columns.map(() => 'right' as const), 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const [name, steps] of costs) {
    for (const [step, values] of steps) {
      const figures = columns.map(({ of, digits }) => formatted(median(values.map((cost) => of(cost, size))), digits))
      table.push([
        name,
        step,
        ...figures,
        formatted(quotient(wallMs(costs, name, step), wallMs(costs, product, step)), 2),
      ])
    }
  }
  return table.toString()
}

/** The figures that the product is judged by. */
function ratios({ costs }: CaseCosts): string[] {
  const ours = wallMs(costs, product, 'first')
  const times = (name: string) => formatted(quotient(wallMs(costs, name, 'first'), ours), 2)
  const share = quotient(wallMs(costs, copyFloor, 'first'), ours)
  const wal = (step: Step) => median((costs.get(product)?.get(step) ?? []).map(({ walBytes }) => walBytes))
  const reread = quotient(wal('unchanged'), wal('first'))
  return [
    `First load: ${times(script)} times as fast as the competent script, ${times(dlt)} times as fast as dlt;`,
    `${formatted(share && share * 100, 1)} % of the speed of bare COPY.`,
    `Unchanged re-load: ${formatted(reread && reread * 100, 2)} % of the WAL of the first.`,
  ]
}

/** The same, and each round's figures. */
export function jsonReport(cases: readonly CaseCosts[]): string {
  const told = cases.map((of) => ({
    case: of.name,
    ...of.size,
    ratios: ratios(of),
    steps: [...of.costs].flatMap(([contestant, steps]) =>
      [...steps].map(([step, values]) => ({
        contestant,
        step,
        medians: Object.fromEntries(
          columns.map(({ title, of: figure }) => [title, median(values.map((cost) => figure(cost, of.size)))]),
        ),
        timesTheProduct: quotient(wallMs(of.costs, contestant, step), wallMs(of.costs, product, step)),
        rounds: values,
      })),
    ),
  }))
  return `${JSON.stringify({ machine: machine(), cases: told }, null, 2)}\n`
}

function title({ name, size: { rooms, members } }: CaseCosts): string {
  return `(${name}) ${rooms.toLocaleString('en')} × ${members.toLocaleString('en')} members`
}

function wallMs(costs: CaseCosts['costs'], name: string, step: Step): number | undefined {
  return median((costs.get(name)?.get(step) ?? []).map((cost) => cost.wallMs))
}

function quotient(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || !by ? undefined : value / by
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
