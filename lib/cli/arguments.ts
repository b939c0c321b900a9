import { InvalidArgumentError } from 'commander'
import { durationOf } from '../duration'
import { INT8_MAX } from '../lcic/values'
import { momentOf } from '../moment'

/** Collects room ids, each once, in the order given. */
export function roomIds(text: string, previous: readonly bigint[] = []): bigint[] {
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : 0n
  if (id < 1n || id > INT8_MAX) {
    throw new InvalidArgumentError(`Give whole numbers from 1 to ${INT8_MAX}, such as 312345678.`)
  }
  return previous.includes(id) ? [...previous] : [...previous, id]
}

/** The id of an app. */
export function appId(text: string): bigint {
  if (/^[1-9]\d{0,17}$/.test(text)) return BigInt(text)
  throw new InvalidArgumentError('Give the id of an app, such as 1400000001.')
}

/** A duration with its unit, in milliseconds; 0 needs none. */
export function duration(text: string): number {
  const ms = text === '0' ? 0 : durationOf(text)
  if (ms === undefined) throw new InvalidArgumentError('Give a number with its unit, such as 30s, 2m or 1h.')
  return ms
}

/** See {@link momentOf}. */
export function moment(text: string): Date {
  const at = momentOf(text)
  if (at) return at
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
