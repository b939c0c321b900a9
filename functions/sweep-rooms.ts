import { sweepSummary } from '../lib/archive/summaries'
import { sweepAndDescribe } from '../lib/archive/sweep-and-describe'
import { UsageError } from '../lib/errors'
import { readSweepEvent } from '../lib/platform/events'
import { functionOf } from '../lib/platform/runtime'

/** Finds ended rooms that no callback announced. */
export const main_handler = functionOf(async (call, event) => {
  const { from, to = new Date() } = readSweepEvent(event)
  const { config, invocation } = call
  const { sdkAppIds, sweepLookbackMs: lookbackMs } = config
  const { deadline, signal } = invocation
  if (sdkAppIds.length === 0) {
    throw new UsageError('E_CONFIG', 'LCIC_SDK_APP_IDS is not set; it names the apps to sweep, for example 1400000001')
  }
  const span = from && { from, to: new Date(Math.min(to.getTime(), Date.now())) }
  if (span && span.from >= span.to) throw new UsageError('E_EVENT', 'From is not before To, or not before now.')
  const options = { sdkAppIds, lookbackMs, deadline, signal, ...(span && { span }) }
  const { reports, described } = await sweepAndDescribe(call.archive(), options)
  return { apps: reports.map(sweepSummary), described }
})
