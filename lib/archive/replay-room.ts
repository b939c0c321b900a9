import type { Kysely } from 'kysely'
import { rewritePage } from '../db/erase-pages'
import { landedPages } from '../db/landed-pages'
import { mergeMembers } from '../db/merge-members'
import { readErasures } from '../db/read-erasures'
import { prunedFrom, replayableAttempts, storedPages, storeLoadableRecords } from '../db/replay-attempts'
import type { Database } from '../db/tables'
import { upsertRoom } from '../db/upsert-room'
import { ArchiveError } from '../errors'
import { redactPage } from '../lcic/redact-page'
import { readStoredPage, type StatisticsPage } from '../lcic/statistics'
import { hashOf, roomFacts } from './take-snapshot'

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
 * of this version: a field that has a column by now moves there. Records of members that were erased are left out, and go
 * from the pages, should there still be some. Rows that are as they should be are not written.
 *
 * @throws {ArchiveError} `E_NOTHING_TO_REPLAY` if the room was never archived or its pages are gone
 */
export async function replayRoom(db: Kysely<Database>, roomId: bigint): Promise<ReplayReport> {
  return db.transaction().execute(async (tx) => {
    const attempts = await replayableAttempts(tx, roomId)
    const pruned = await prunedFrom(tx, roomId)
    if (pruned)
      throw nothingToReplay(roomId, `its ${pruned === 'members' ? 'members' : 'raw pages'} were deleted by prune`)
    const { newest, isErased } = await readErasures(tx, roomId)
    const report = { roomId, attempts: attempts.length, pages: 0, records: 0, inserted: 0, updated: 0, removed: 0 }
    for (const { attempt, archivedAt: now, duplicates, ...before } of attempts) {
      let { contentHash } = before
      let first: StatisticsPage | undefined
      for await (const { base, page, body } of storedPages(tx, { roomId, attempt })) {
        const stored = readStoredPage(body)
        // Stryker disable next-line ConditionalExpression,EqualityOperator,ArrayDeclaration: of nobody nothing is found, for longer.
        const { page: read, erased } = newest > 0n ? redactPage(stored, { isErased }) : { page: stored, erased: [] }
        if (read === stored) await storeLoadableRecords(tx, { roomId, attempt, page, records: read.records })
        else {
          await rewritePage(tx, { roomId, attempt: base, page, ...read, records: read.records, erased: erased.length })
          contentHash = hashOf(await landedPages(tx, { roomId, attempt }))
        }
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
      if (!merge.merged)
        throw nothingToReplay(roomId, `its raw pages hold ${merge.records} of ${total - merge.erased} records`)
      // Stryker disable next-line ArithmeticOperator: where somebody was removed the total has changed, and with it the room.
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
