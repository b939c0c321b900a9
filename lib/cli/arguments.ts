import { InvalidArgumentError } from 'commander'
import { durationOf } from '../duration'

/** LCIC's ids are unsigned 64-bit numbers; PostgreSQL's bigint ends at half of that. */
const LARGEST_ID = 2n ** 63n - 1n

/** Collects room ids, each once, in the order given. */
export function roomIds(text: string, previous: readonly bigint[] = []): bigint[] {
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : 0n
  if (id < 1n || id > LARGEST_ID) {
    throw new InvalidArgumentError(`Give whole numbers from 1 to ${LARGEST_ID}, such as 312345678.`)
  }
  return previous.includes(id) ? [...previous] : [...previous, id]
}

/** A duration with its unit, in milliseconds; 0 needs none. */
export function duration(text: string): number {
  const ms = text === '0' ? 0 : durationOf(text)
  if (ms === undefined) throw new InvalidArgumentError('Give a number with its unit, such as 30s, 2m or 1h.')
  return ms
}

const EARLIEST = new Date('2000-01-01')

/** A moment: ISO 8601, taken as UTC where it names no time zone, or how long ago, such as 36h. */
export function moment(text: string): Date {
  const ago = durationOf(text)
  const since = new Date(Date.now() - (ago ?? 0))
  // LCIC is younger, and it rounds what is much older to nonsense.
  if (ago !== undefined && since >= EARLIEST) return since
  const iso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(text)
  const [, time, , , zone] = iso ?? []
  const at = iso ? new Date(time !== undefined && zone === undefined ? `${text}Z` : text) : new Date(Number.NaN)
  // 31 February is a day in March to JavaScript.
  const day = new Date(`${text.slice(0, 10)}T00:00Z`)
  if (at >= EARLIEST && day.toISOString().startsWith(text.slice(0, 10))) return at
  throw new InvalidArgumentError(
    'Give a time such as 2026-03-01, 2026-03-01T08:00:00+08:00, or 36h or 7d for so long ago.',
  )
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`)
  }
}
