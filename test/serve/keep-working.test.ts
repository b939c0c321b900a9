import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../lib/clock'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { keepWorking } from '../../lib/serve/keep-working'
import { openTestArchive, type TestArchive } from '../support/archive'
import { testLog } from '../support/log-directory'
import { expectTruth } from '../support/truth'

let archive: TestArchive
/** Its minutes pass at once; they are counted. */
let minutes: number
let time: number
beforeEach(async () => {
  minutes = 0
  time = 0
  const clock = {
    now: () => systemClock.now() + time,
    async sleep(durationMs: number, signal?: AbortSignal) {
      if (durationMs >= 60_000) minutes++
      await systemClock.sleep(durationMs >= 60_000 ? 1 : durationMs, signal)
    },
  }
  archive = await openTestArchive({ clock, log: testLog() })
})
afterEach(() => archive.close())

test('a worker that had to give up starts again each minute, and is well once it archives', async () => {
  const room = archive.school.addRoom({ members: 3 })
  const { context, db, simulator } = archive
  await hintRooms(db, { hints: [{ roomId: room.roomId }], hintedBy: 'callback', now: databaseTime })
  simulator.setFaults(() => ({ kind: 'error', code: 'UnauthorizedOperation' }))
  const stop = new AbortController()
  const worker = keepWorking(context, { signal: stop.signal, onReport: () => undefined })
  expect(worker.problem()).toBeUndefined()
  await vi.waitFor(() => expect(minutes).toBeGreaterThan(1), { timeout: 10_000, interval: 10 })
  expect(worker.problem()).toMatch(/^it stopped, and starts again each minute: .*UnauthorizedOperation/)
  simulator.setFaults(undefined)
  await vi.waitFor(() => expectTruth(db, room), { timeout: 10_000, interval: 10 })
  await vi.waitFor(() => expect(worker.problem()).toBeUndefined(), { interval: 1 })
  stop.abort(new Error('The test is over.'))
  await worker.ended
})

test('one that is not heard of for minutes is not well', async () => {
  const stop = new AbortController()
  const worker = keepWorking(archive.context, { signal: stop.signal, onReport: () => undefined })
  time += 130_000
  expect(worker.problem()).toMatch(/^it has not been heard of for 13\d s$/)
  stop.abort(new Error('The test is over.'))
  await worker.ended
})
