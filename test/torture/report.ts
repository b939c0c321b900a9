import Table from 'cli-table3'
import type { RoundResult } from './round'

/** One line of progress. */
export function roundLine({ seed, faults, rooms, archived, ...result }: RoundResult): string {
  const { archivedAmid, requests, mostInASecond, refusals, peakMb, seconds, violations } = result
  return [
    `seed ${seed}: ${seconds.toFixed(0)} s, ${sum(faults)} faults (${listed(faults)})`,
    `${archived} of ${rooms} rooms archived, ${archivedAmid} of them amid the faults`,
    `${requests} requests, most in a second ${mostInASecond}, ${refusals} refused`,
    `ends ${listed(result.ends)}; callbacks ${listed(result.callbacks)}; ${peakMb} MB`,
    `${violations.length} violations`,
  ].join('; ')
}

/** All rounds, and what they come to. */
export function resultTable(results: readonly RoundResult[]): string {
  const table = new Table({
    head: [
      'seed',
      'seconds',
      'faults',
      'rooms',
      'archived',
      'requests',
      'most/s',
      'refused',
      'looks',
      'killed',
      'MB',
      'violations',
    ],
    colAligns: Array<'right'>(12).fill('right'),
    style: { head: [], border: [], compact: true },
  })
  for (const { seed, seconds, faults, rooms, archived, requests, mostInASecond, refusals, ...rest } of results) {
    const { looks, ends, peakMb, violations } = rest
    table.push([
      ...[seed, seconds.toFixed(0), sum(faults), rooms, archived, requests, mostInASecond, refusals],
      ...[looks, ends.SIGKILL ?? 0, peakMb, violations.length],
    ])
  }
  const total = (value: (result: RoundResult) => number) => results.reduce((all, result) => all + value(result), 0)
  const faults = total((result) => sum(result.faults)).toLocaleString('en-US')
  const archived = total((result) => result.archived).toLocaleString('en-US')
  const violations = total((result) => result.violations.length)
  return `${table.toString()}\n${results.length} seeds, ${faults} faults, ${archived} rooms archived, ${violations} violations.`
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0)
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ')
}
