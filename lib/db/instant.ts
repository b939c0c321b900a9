import { type RawBuilder, sql } from 'kysely'

/**
 * A moment, as statements take it: the database's own time, so that machines whose clocks differ agree on leases and due
 * times, or a time that is given (tests, replays).
 */
export type Instant = Date | RawBuilder<Date>

/** The time of the database, the same throughout a transaction. */
export const databaseTime: Instant = sql<Date>`now()`

/** `ms` milliseconds after a moment; before it if negative. */
export function later(instant: Instant, ms: number): RawBuilder<Date> {
  return sql<Date>`(${instant}::timestamptz + make_interval(secs => ${ms / 1000}::float8))`
}

/** Milliseconds from a moment, or a column, to another; null where either is. */
export function msBetween(from: Instant | RawBuilder<unknown>, to: Instant | RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`extract(epoch from ${to}::timestamptz - ${from}::timestamptz)::float8 * 1000`
}
