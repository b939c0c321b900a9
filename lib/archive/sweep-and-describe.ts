import type { ArchiveContext } from './context'
import { describeRooms } from './describe-rooms'
import { type SweepOptions, type SweepReport, sweep } from './sweep'

/** Rooms asked about for their teacher after each sweep, and for how long at most. */
const DESCRIBE = { most: 500, withinMs: 30_000 }

/** A sweep, and what belongs to it: LCIC is asked for what statistics do not carry of rooms that were archived lately. */
export async function sweepAndDescribe(
  context: ArchiveContext,
  options: SweepOptions,
): Promise<{ reports: SweepReport[]; described: number }> {
  const reports = await sweep(context, options)
  const { deadline: last = Number.POSITIVE_INFINITY, signal } = options
  const deadline = Math.min(last, context.clock.now() + DESCRIBE.withinMs)
  const patience = { waitMs: 0, deadline, signal }
  return { reports, described: await describeRooms(context, { most: DESCRIBE.most, patience }) }
}
