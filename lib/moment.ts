import { durationOf } from './duration'

/** LCIC is younger, and it rounds what is much older to nonsense. */
const EARLIEST = new Date('2000-01-01')

/** A moment: ISO 8601, taken as UTC where it names no time zone, or how long ago, such as `36h`; `undefined` for anything else. */
export function momentOf(text: string): Date | undefined {
  const ago = durationOf(text)
  const since = new Date(Date.now() - (ago ?? 0))
  if (ago !== undefined && since >= EARLIEST) return since
  const iso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-](?:0\d|1[0-4]):?[0-5]\d)?)?$/.exec(text)
  const [, time, , , zone] = iso ?? []
  const at = iso ? new Date(time !== undefined && zone === undefined ? `${text}Z` : text) : new Date(Number.NaN)
  // 31 February is a day in March to JavaScript.
  const day = new Date(`${text.slice(0, 10)}T00:00Z`)
  return at >= EARLIEST && day.toISOString().startsWith(text.slice(0, 10)) ? at : undefined
}
