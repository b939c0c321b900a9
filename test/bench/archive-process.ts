import { pino } from 'pino'
import type { Budget } from '../../lib/archive/budget'
import { work } from '../../lib/archive/work'
import { systemClock } from '../../lib/clock'
import { connect } from '../../lib/db/connect'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { retryRooms } from '../../lib/db/retry-rooms'
import { createLcic } from '../../lib/lcic/client'
import { countStatements } from './count-statements'
import { runMeasured } from './measured'
import type { LoadTask } from './steps'

/** Without a limit there is nothing to reserve. */
const budget: Budget = { take: async () => ({ use: () => undefined }), pushBack: async () => undefined }

/** Archives the rooms once, as a worker of the product does it: from the hint that names them to the last commit. */
runMeasured(async ({ databaseUrl, endpoint, credentials, roomIds }: LoadTask, measure) => {
  const db = connect({ url: databaseUrl })
  const lcic = createLcic({ endpoint: new URL(endpoint), credentials: () => credentials })
  const log = pino({ level: 'error' }, pino.destination({ dest: 2, sync: true }))
  const now = () => databaseTime
  const context = { db, lcic, budget, clock: systemClock, now, policy: { giveUpAfterMs: 86_400_000 }, log }
  const rooms = roomIds.map(BigInt)
  let written = 0
  const statements = countStatements()
  const { result, ...cost } = await measure(async () => {
    await hintRooms(db, { hints: rooms.map((roomId) => ({ roomId })), hintedBy: 'event', now: now() })
    await retryRooms(db, { rooms, now: now() })
    return work(context, {
      until: 'nothing_due',
      onReport({ inserted, updated, removed, message }) {
        written += inserted + updated + removed
        if (message !== undefined) throw new Error(message)
      },
    })
  })
  lcic.close()
  await db.destroy()
  if (result.archived !== rooms.length) throw new Error(`${result.archived} of ${rooms.length} rooms were archived`)
  return { ...cost, rows: result.records, written, statements: statements() }
})
