import { afterAll, beforeAll, expect, test } from 'vitest'
import { planBackfill } from '../../lib/archive/backfill'
import { slotSpacingMs } from '../../lib/archive/budget'
import type { ArchiveEvent } from '../../lib/archive/context'
import { openTestArchive, type TestArchive } from '../support/archive'

const HOUR = 3600
let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive()
})
afterAll(() => archive?.close())

test('a plan counts the rooms that ended, those that are settled already, and the requests and the time that the others take', async () => {
  const { school, context } = archive
  const now = Math.floor(Date.now() / 1000)
  const at = (hoursAgo: number) => ({
    scheduledStartAt: now - (hoursAgo + 1) * HOUR,
    scheduledEndAt: now - hoursAgo * HOUR,
  })
  // Of one page, and of three.
  const small = school.addRoom({ ...at(5), members: 2 })
  const large = school.addRoom({ ...at(6), members: 2001 })
  for (const { roomId } of [small, large]) expect(await archive.archive(roomId)).toMatchObject({ outcome: 'archived' })
  for (let room = 0; room < 3; room++) school.addRoom(at(7 + room))
  school.addRoom({ ...at(8), fate: 'expired' })
  // Neither one that goes on, nor one of another time or app.
  school.addRoom({ scheduledStartAt: now - HOUR, scheduledEndAt: now + HOUR, realEndAt: null })
  school.addRoom(at(400))
  school.addRoom({ ...at(7), sdkAppId: 77 })
  const events: ArchiveEvent[] = []
  const span = { from: new Date((now - 48 * HOUR) * 1000), to: new Date(now * 1000) }
  const patience = { waitMs: 0 }
  const plan = await planBackfill(
    { ...context, observe: (event) => events.push(event) },
    { sdkAppIds: [BigInt(school.sdkAppId)], span, requestsPerSecond: 20, patience },
  )
  expect(plan).toMatchObject({ rooms: 6, settled: 2, toArchive: 4, listRequests: 1, statisticsRequests: 8 })
  const requestsMs = 8 * slotSpacingMs(20)
  expect(plan.durationMs).toBeGreaterThan(requestsMs)
  expect(plan.durationMs).toBeLessThan(requestsMs + 60_000)
  expect(events.filter(({ type }) => type === 'listed')).toEqual([{ type: 'listed', rooms: 6, upTo: expect.any(Date) }])
  const both = await planBackfill(context, {
    sdkAppIds: [BigInt(school.sdkAppId), 77n],
    span,
    requestsPerSecond: 20,
    patience,
  })
  expect(both).toMatchObject({ rooms: 7, listRequests: 2, toArchive: 5 })
  // Nothing was written.
  const jobs = await archive.db.selectFrom('archive.jobs').select('room_id').execute()
  expect(jobs).toHaveLength(2)
})
