import { archiveRooms } from '../lib/archive/archive-rooms'
import { roomSummary, roomsSummary, workSummary } from '../lib/archive/summaries'
import { work } from '../lib/archive/work'
import { hintRooms } from '../lib/db/hint-rooms'
import { readArchiveEvent } from '../lib/platform/events'
import { functionOf } from '../lib/platform/runtime'
import { START_SPACING_MS } from '../lib/platform/start-worker'

/** Archives all that is due, or the rooms that the event names. */
export const main_handler = functionOf(async (call, event) => {
  const { named, hinted, malformed, isTimer } = readArchiveEvent(event)
  const { log, invocation } = call
  const { deadline, signal } = invocation
  const context = call.archive()
  const { db, clock, now } = context
  if (malformed > 0) log.warn({ malformed }, 'ids or messages that name no room')

  // Rooms that there is no time for stay due, and others archive them.
  const hints = [...named, ...hinted].map((roomId) => ({ roomId }))
  if (hints.length > 0) await hintRooms(db, { hints, hintedBy: 'event', now: now(), reread: true })
  if (named.length > 0) {
    const reports = await archiveRooms(context, named, { waitMs: 0, deadline, signal })
    return { ...roomsSummary(reports), malformed, rooms: reports.map(roomSummary) }
  }
  // Callbacks that came just after the one that started this have started nothing: their rooms are looked for, too.
  const notBefore = isTimer ? 0 : clock.now() + START_SPACING_MS
  const done = await work(context, { until: 'nothing_due', notBefore, deadline, signal })
  return { ...workSummary(done), malformed }
})
