import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables'
import { type Completeness, type CompletenessPeriod, type Freshness, MOST_LACKING_DAYS } from './overview-data'
import { wallMs, wallMsOf } from './wall-time'

/** Ten weeks: more days than that are narrow. */
const LONGEST_BY_DAYS_MS = 70 * 86_400_000

/** What became of the classes that ended on the days of a span, of all courses: those not archived have none yet. */
export async function readCompleteness(
  tx: Transaction<Database>,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<Completeness> {
  const periodLength = to - from > LONGEST_BY_DAYS_MS ? 'week' : 'day'
  const day = (wall: number) => sql`${new Date(wall).toISOString().slice(0, 10)}::date`
  // The span ends before `to`.
  const within = sql`end_date between ${day(from)} and ${day(to - 1)}`
  const { rows: periods } = await sql<CompletenessPeriod>`
    select ${wallMs(sql`date_trunc(${sql.lit(periodLength)}, end_date::timestamp)`)} as start, ${counts}
    from analytics.archive_completeness
    where ${within}
    group by 1
    order by 1`.execute(tx)
  const { rows: lacking } = await sql<CompletenessPeriod & { inAll: number }>`
    select ${wallMs(sql`end_date::timestamp`)} as start, ${counts}, count(*) over ()::int as "inAll"
    from analytics.archive_completeness
    where ${within}
    group by end_date
    having not bool_and(is_complete)
    order by 1
    limit ${MOST_LACKING_DAYS}`.execute(tx)
  const { rows: apps } = await sql<Freshness>`
    select f.sdk_app_id as "sdkAppId", ${wallMsOf(sql`f.swept_from`)} as "sweptFrom",
      ${wallMsOf(sql`f.swept_until`)} as "sweptUntil", f.waiting_rooms::int as "waitingRooms",
      f.lag_seconds_p50::float8 as "lagSecondsP50", f.lag_seconds_p95::float8 as "lagSecondsP95"
    from analytics.data_freshness f
    cross join analytics.settings s
    order by f.sdk_app_id nulls last
    limit 50`.execute(tx)
  return { periodLength, periods, lacking, lackingInAll: lacking[0]?.inAll ?? 0, apps }
}

const sum = (column: string): RawBuilder<unknown> => sql`sum(${sql.ref(column)})::int`

const counts = sql`${sum('ended')} as ended, ${sum('archived')} as archived, ${sum('waiting')} as waiting,
      ${sum('expired')} as expired, ${sum('missing')} as missing, ${sum('failed')} as failed,
      ${sum('without_job')} as "withoutJob"`
