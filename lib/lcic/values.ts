/**
 * The rules for values that a column cannot hold. None of them loses a room: the column gets the nearest thing that is
 * true, or NULL, and the value itself is kept in `extra` under its API name (`odd`), and in the raw page in any case.
 */
export interface Reading<T> {
  readonly value: T | null
  /** The column does not say all that was sent. */
  readonly odd: boolean
}

export const INT4_MAX = 2_147_483_647
/** Of LCIC's ids, which are unsigned, PostgreSQL's bigint holds those up to here. */
export const INT8_MAX = 2n ** 63n - 1n
const INT4_MIN = -2_147_483_648
/** 9999-12-31T23:59:59Z in Unix seconds. */
const LAST_SECOND = 253_402_300_799

/** Counts, seconds and flags: whole, not negative, int4. `"12"` is 12, `true` is 1, 2.5 is 3 (odd), −1 is NULL (odd). */
export function countOf(raw: unknown): Reading<number> {
  return wholeNumberOf(raw, 0)
}

/** Enumerations, which may carry numbers this program has never seen, negative ones included. */
export function codeOf(raw: unknown): Reading<number> {
  return wholeNumberOf(raw, INT4_MIN)
}

/** Unix seconds; 0 and null both mean that there is no such moment. Fractions stay. */
export function timeOf(raw: unknown): Reading<number> {
  const seconds = numberOf(raw)
  if (seconds === null) return { value: null, odd: raw !== null && raw !== undefined }
  if (seconds === 0) return { value: null, odd: false }
  return isTime(seconds) ? { value: seconds, odd: false } : { value: null, odd: true }
}

/** Text: NUL characters and lone surrogates, which PostgreSQL cannot hold, become U+FFFD. A number becomes its digits. */
export function textOf(raw: unknown): Reading<string> {
  if (typeof raw === 'string') return { value: storableText(raw), odd: false }
  if (typeof raw === 'number' || typeof raw === 'boolean') return { value: String(raw), odd: false }
  return { value: null, odd: raw !== null && raw !== undefined }
}

/** Lists of texts; a lone text is a list of one. */
export function textsOf(raw: unknown): Reading<string[]> {
  if (typeof raw === 'string') return { value: [storableText(raw)], odd: false }
  if (!Array.isArray(raw)) return { value: null, odd: raw !== null && raw !== undefined }
  const texts = raw.map(textOf)
  return {
    value: texts.flatMap(({ value }) => (value === null ? [] : [value])),
    odd: texts.some(({ value }) => value === null),
  }
}

export const isCount = (raw: unknown): boolean => isWhole(raw, 0)
export const isCode = (raw: unknown): boolean => isWhole(raw, INT4_MIN)
export const isTime = (raw: unknown): boolean => typeof raw === 'number' && raw >= 0 && raw <= LAST_SECOND
export const isText = (raw: unknown): boolean => typeof raw === 'string' && raw.isWellFormed() && !raw.includes('\0')
export const isTexts = (raw: unknown): boolean => Array.isArray(raw) && raw.every(isText)

/** The fields of `object` that `known` does not name, made storable as jsonb. */
export function unknownFields(
  object: Readonly<Record<string, unknown>>,
  known: readonly string[],
): Record<string, unknown> {
  const unknown = Object.entries(object).filter(([name]) => !known.includes(name))
  return Object.fromEntries(unknown.map(([name, value]) => [storableText(name), storableJson(value)]))
}

/** Deeper than any answer of an API; PostgreSQL's own limit is some thousands. */
const DEEPEST = 100

/** Whether PostgreSQL can look into the JSON value as it is. */
export function isStorableJson(value: unknown, depth = DEEPEST): boolean {
  if (typeof value === 'string') return isText(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  return Object.entries(value).every(([name, item]) => isText(name) && isStorableJson(item, depth - 1))
}

/**
 * Any JSON value with its texts made storable, keys included: jsonb takes neither NUL nor lone surrogates. What is
 * nested more than a hundred levels deep becomes null.
 */
export function storableJson(value: unknown, depth = DEEPEST): unknown {
  if (typeof value === 'string') return storableText(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return null
  if (Array.isArray(value)) return value.map((item) => storableJson(item, depth - 1))
  const items = Object.entries(value).map(([name, item]) => [storableText(name), storableJson(item, depth - 1)])
  return Object.fromEntries(items)
}

/** The text as PostgreSQL can hold it. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}')
}

function isWhole(raw: unknown, least: number): boolean {
  return Number.isInteger(raw) && (raw as number) >= least && (raw as number) <= INT4_MAX
}

function wholeNumberOf(raw: unknown, least: number): Reading<number> {
  const number = numberOf(raw)
  if (number === null) return { value: null, odd: raw !== null && raw !== undefined }
  const value = Math.round(number)
  return isWhole(value, least) ? { value, odd: value !== number } : { value: null, odd: true }
}

function numberOf(raw: unknown): number | null {
  if (typeof raw === 'number') return raw
  if (typeof raw === 'boolean') return raw ? 1 : 0
  if (typeof raw === 'string' && /^\s*-?\d+(\.\d+)?\s*$/.test(raw)) return Number(raw)
  return null
}
