/** For `JSON.stringify`: ids beyond 2^53 become strings, because readers of JSON would round them. */
export function idsAsJson(_: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value)
}
