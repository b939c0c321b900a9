import { durationOf } from '../duration'
import { UsageError } from '../errors'
import type { Place } from './deployed'
import type { ScfApi } from './scf-api'

const LOGS_LIMIT = 50
const DAY_MS = 24 * 60 * 60_000

/**
 * The last invocations of a function with their logs, oldest first, as far as GetFunctionLogs has them.
 *
 * @param since how long ago to begin, such as `30m`; at most a day, the API's longest span
 * @param failedOnly only invocations that failed
 */
export async function readLogs(
  api: ScfApi,
  place: Place,
  { since = '1h', failedOnly = false, nowMs = Date.now() }: { since?: string; failedOnly?: boolean; nowMs?: number },
): Promise<string[]> {
  const sinceMs = durationOf(since)
  if (sinceMs === undefined || sinceMs <= 0 || sinceMs > DAY_MS) {
    throw new UsageError('E_USAGE', `--startTime ${since} is no duration up to a day, for example 30m.`)
  }
  const { Data = [] } = await api.request('GetFunctionLogs', {
    ...place,
    Limit: LOGS_LIMIT,
    Offset: 0,
    Order: 'desc',
    OrderBy: 'start_time',
    StartTime: beijingTime(nowMs - sinceMs),
    EndTime: beijingTime(nowMs),
    ...(failedOnly && { Filter: { RetCode: 'not0' } }),
  })
  return Data.reverse().map(({ StartTime, RequestId, RetCode, Duration, RetMsg, Log }) =>
    [
      `${StartTime} ${RequestId} ${RetCode === 0 ? 'done' : `code ${RetCode}`} in ${Math.round(Duration ?? 0)} ms`,
      ...(Log ?? '').trimEnd().split('\n'),
      ...(RetMsg ? [`answer: ${RetMsg}`] : []),
    ]
      .filter((line) => line !== '')
      .join('\n  '),
  )
}

/** SCF's times are those of Beijing, without a zone. */
function beijingTime(ms: number): string {
  return new Date(ms + 8 * 60 * 60_000).toISOString().slice(0, 19).replace('T', ' ')
}
