import { InvalidArgumentError } from 'commander'
import ms, { type StringValue } from 'ms'

/** LCIC's ids are unsigned 64-bit numbers; PostgreSQL's bigint ends at half of that. */
const LARGEST_ID = 2n ** 63n - 1n

/** Collects room ids, each once, in the order given. */
export function roomIds(text: string, previous: readonly bigint[] = []): bigint[] {
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : 0n
  if (id < 1n || id > LARGEST_ID) {
    throw new InvalidArgumentError(
      `${JSON.stringify(text.slice(0, 60))} is no room id: give whole numbers from 1 to ${LARGEST_ID}, such as 312345678.`,
    )
  }
  return previous.includes(id) ? [...previous] : [...previous, id]
}

/** A duration with its unit, in milliseconds. */
export function duration(text: string): number {
  if (!/^\d{1,9}(\.\d+)?\s*(ms|s|m|h|d)$/.test(text)) {
    throw new InvalidArgumentError('Give a number with its unit, such as 30s, 2m or 1h.')
  }
  return ms(text as StringValue)
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`)
  }
}
