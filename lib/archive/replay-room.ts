import type { Kysely } from 'kysely'
import { mergeMembers } from '../db/merge-members'
import { replayableAttempts, storedPages, storeLoadableRecords } from '../db/replay-attempts'
import type { Database } from '../db/tables'
import { upsertRoom } from '../db/upsert-room'
import { ArchiveError } from '../errors'
import { readStoredPage, type StatisticsPage } from '../lcic/statistics'
import { roomFacts } from './take-snapshot'

export interface ReplayReport {
  readonly roomId: bigint
  readonly attempts: number
  readonly pages: number
  readonly records: number
  readonly inserted: number
  readonly updated: number
  readonly removed: number
}

/**
 * Rebuilds a room from its raw pages, in one transaction and without a request to LCIC. The pages are read by the rules
 * of this version: a field that has a column by now moves there. Rows that are as they should be are not written.
 *
 * @throws {ArchiveError} `E_NOTHING_TO_REPLAY` if the room was never archived or its pages are gone
 */
export async function replayRoom(db: Kysely<Database>, roomId: bigint): Promise<ReplayReport> {
  return db.transaction().execute(async (tx) => {
    const attempts = await replayableAttempts(tx, roomId)
    const report = { roomId, attempts: attempts.length, pages: 0, records: 0, inserted: 0, updated: 0, removed: 0 }
    for (const { attempt, archivedAt: now, contentHash, duplicates } of attempts) {
      let first: StatisticsPage | undefined
      for await (const { page, body } of storedPages(tx, { roomId, attempt })) {
        const read = readStoredPage(body)
        await storeLoadableRecords(tx, { roomId, attempt, page, records: read.records })
        first ??= read
        report.pages++
      }
      if (!first) throw nothingToReplay(roomId, 'its raw pages are gone')
      const total = first.figures.Total
      const merge = await mergeMembers(tx, {
        roomId,
        attempt,
        total,
        now,
        keepOneOfDuplicates: duplicates > 0,
        allowRemovals: true,
      })
      if (!merge.merged) throw nothingToReplay(roomId, `its raw pages hold ${merge.records} of ${total} records`)
      const membersChanged = merge.inserted + merge.updated + merge.removed > 0
      await upsertRoom(tx, { room: roomFacts(roomId, first.figures), attempt, contentHash, membersChanged, now })
      report.records = merge.users
      report.inserted += merge.inserted
      report.updated += merge.updated
      report.removed += merge.removed
    }
    if (attempts.length === 0) throw nothingToReplay(roomId, 'it was never archived')
    return report
  })
}

function nothingToReplay(roomId: bigint, why: string): ArchiveError {
  return new ArchiveError(
    'E_NOTHING_TO_REPLAY',
    `It cannot be rebuilt: ${why}. Archive it: lcic-archive archive ${roomId}`,
  )
}
