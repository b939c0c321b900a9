import Table from 'cli-table3'
import { idsAsJson } from '../json'
import { ExitCode, setExitCode } from './exit-code'

/** A reader that has seen enough (`| head`) closes the pipe: that is no error, and there is nobody to tell more. */
export function endQuietlyWithReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.once('error', (error: NodeJS.ErrnoException) => {
      // What else could not be written fails for the same reason.
      stream.on('error', () => undefined)
      if (error.code === 'EPIPE') return
      if (stream === process.stdout) remark(`lcic-archive: the output cannot be written: ${error.message}`)
      // Whatever the command says of rooms, nobody can read it.
      process.once('exit', () => setExitCode(ExitCode.usage))
    })
  }
}

/** Results go to stdout, and nothing else does. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Progress and remarks go to stderr. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** One JSON document. Ids beyond 2^53 are strings, because JSON readers would round them. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value, idsAsJson, 2)
  print(text.replace(steering, (character) => (character === '\n' ? '\n' : escaped(character))))
}

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | bigint | null | undefined
  /** Numbers are easier to compare when they end in the same column. */
  readonly align?: 'left' | 'right'
}

/** Rows as a table with aligned columns, wide characters counted as wide. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const grid = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    style: { head: [], border: [], compact: true },
    chars: plainBorders,
  })
  for (const row of rows) grid.push(columns.map(({ value }) => printable(value(row))))
  return grid.toString()
}

/** Times as ISO 8601, anything else as text, without what could steer a terminal: names come from anyone. */
export function printable(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z')
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.replace(/[\t\n\r]+/g, ' ').replace(steering, '')
}

/** Control characters, and those that change the direction of writing. */
const steering = /\p{Cc}|[\u{200E}\u{200F}\u{202A}-\u{202E}\u{2066}-\u{2069}]/gu

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}

/** `1 room`, `2 rooms`, `1,234 rooms`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`
}

const plainBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '─',
  'mid-mid': '──',
  right: '',
  'right-mid': '',
  middle: '  ',
}
