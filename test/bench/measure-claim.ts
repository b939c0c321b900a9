import { type Kysely, sql } from 'kysely'
import { databaseTime } from '../../lib/db/instant'
import { claimDueRooms } from '../../lib/db/leases'
import type { Database } from '../../lib/db/tables'

/** Rooms a worker takes at once. */
export const CLAIM_LIMIT = 8

/** How many milliseconds a claim takes. It is taken back, so that each meets the same table. */
export async function measureClaim(db: Kysely<Database>): Promise<number> {
  return db.connection().execute(async (connection) => {
    await sql`begin`.execute(connection)
    const startedAt = performance.now()
    const { leases } = await claimDueRooms(connection, { holder: 'bench', now: databaseTime, limit: CLAIM_LIMIT })
    const ms = performance.now() - startedAt
    await sql`rollback`.execute(connection)
    if (leases.length !== CLAIM_LIMIT) throw new Error(`Claimed ${leases.length} rooms instead of ${CLAIM_LIMIT}.`)
    return ms
  })
}
