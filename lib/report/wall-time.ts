import { type RawBuilder, sql } from 'kysely'

/** A local timestamp as milliseconds, see {@link Format}. */
export function wallMs(local: RawBuilder<unknown>): RawBuilder<number | null> {
  return sql<number | null>`(extract(epoch from ${local}) * 1000)::float8`
}

/** A moment as the school's wall clock shows it; `s` is analytics.settings. */
export function wallMsOf(moment: RawBuilder<unknown>): RawBuilder<number | null> {
  return wallMs(sql`(${moment} at time zone s.time_zone)`)
}
