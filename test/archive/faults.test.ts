import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Fault, FaultPlan } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { expectTruth } from '../support/truth'

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive({ frozen: true })
})
afterAll(() => archive.close())

/** Short, because a hanging answer costs it each time. */
const requestTimeoutMs = 150

const everyFault: Fault[] = [
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'delay', ms: 20 },
  { kind: 'truncate', framing: 'chunked' },
  { kind: 'truncate', framing: 'length' },
  { kind: 'html' },
  { kind: 'not-json' },
  { kind: 'empty-json' },
  { kind: 'status', status: 500 },
  { kind: 'status', status: 502 },
  { kind: 'status', status: 429 },
  { kind: 'status', status: 404 },
  { kind: 'error', code: 'InternalError' },
  { kind: 'error', code: 'RequestLimitExceeded' },
  { kind: 'error', code: 'NeverDocumented' },
  { kind: 'shift' },
  { kind: 'total', by: 1 },
  { kind: 'total', by: -1 },
  { kind: 'duplicate' },
]

describe('a fault on one page of a pull is overcome, and the tables equal the source', () => {
  test.each(everyFault.map((fault) => [JSON.stringify(fault), fault] as const))('%s', async (_, fault) => {
    const room = archive.school.addRoom({ members: 2500 })
    let struck = 0
    archive.simulator.setFaults(({ page }) => (page === 2 && struck++ === 0 ? fault : undefined))
    const report = await archive.archive(room.roomId, { requestTimeoutMs })
    expect(struck).toBeGreaterThan(0)
    expect(report).toMatchObject({ outcome: 'archived', inserted: 2500 })
    await expectTruth(archive.db, room)
    await expectAppliedOnce(room.roomId)
  })
})

test('faults of any kinds at one request in three: whatever the seed, each room ends up as the source has it', async () => {
  const kinds = fc.subarray(everyFault, { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 0, max: 3200 }), kinds, async (seed, members, faults) => {
      const room = archive.school.addRoom({ members })
      archive.simulator.setFaults(atOneInThree(seed, faults))
      // A room may be put off; whoever asks again goes on from there.
      const reports = []
      do reports.push(await archive.archive(room.roomId, { requestTimeoutMs }))
      while (reports.at(-1)?.outcome !== 'archived' && reports.length < 60)
      expect(reports.at(-1)?.outcome).toBe('archived')
      await expectTruth(archive.db, room)
      await expectAppliedOnce(room.roomId)
    }),
    { numRuns: 22, endOnFailure: true },
  )
})

/** No page was lost, and none was counted twice: the one run that was archived holds each record of the room once. */
async function expectAppliedOnce(roomId: bigint): Promise<void> {
  const members = archive.school.rooms.get(roomId)?.members.length ?? Number.NaN
  const runs = await archive.db
    .selectFrom('archive.runs')
    .selectAll()
    .where('room_id', '=', roomId)
    .where('outcome', '=', 'archived')
    .execute()
  expect(runs).toHaveLength(1)
  const [run] = runs
  expect(run).toMatchObject({ records: members, inserted: members, updated: 0, removed: 0 })
  const pages = await archive.db
    .selectFrom('archive.raw_pages')
    .select(['page', 'record_count'])
    .where('room_id', '=', roomId)
    .where('attempt', '=', run?.attempt ?? 0)
    .orderBy('page')
    .execute()
  expect(pages.map(({ page }) => page)).toEqual(pages.map((_, index) => index + 1))
  expect(pages.reduce((sum, page) => sum + page.record_count, 0)).toBe(members)
}

function atOneInThree(seed: number, faults: readonly Fault[]): FaultPlan {
  return ({ sequence }) => {
    const digest = createHash('sha256').update(`${seed} ${sequence}`).digest()
    return digest.readUInt32BE(0) % 3 === 0 ? faults[digest.readUInt32BE(4) % faults.length] : undefined
  }
}
