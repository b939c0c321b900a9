import { archiveRooms } from '../../lib/archive/archive-rooms'
import { roomsSummary } from '../../lib/archive/summaries'
import { readArchiveEvent } from '../../lib/platform/events'
import { functionOf } from '../../lib/platform/runtime'

/** What a competent user would write: the room's callback starts a function, and that asks until the statistics are ready. */
export const main_handler = functionOf(async (call, event) => {
  const { deadline, signal } = call.invocation
  const { named } = readArchiveEvent(event)
  return roomsSummary(await archiveRooms(call.archive(), named, { waitMs: 15 * 60_000, deadline, signal }))
})
