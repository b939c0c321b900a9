import ms, { type StringValue } from 'ms'

/** Milliseconds of a number with its unit (`90s`, `2m`, `36h`, `7d`); `undefined` for anything else. */
export function durationOf(text: string): number | undefined {
  return /^\d{1,9}(\.\d{1,9})?\s*(ms|s|m|h|d)$/.test(text) ? ms(text as StringValue) : undefined
}
