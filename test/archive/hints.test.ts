import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hintRooms, type RoomHint } from '../../lib/db/hint-rooms'
import { claimRoom } from '../../lib/db/leases'
import { retryRooms } from '../../lib/db/retry-rooms'
import { completeJob, deferJob } from '../../lib/db/settle-job'
import type { HintSource, JobState } from '../../lib/db/tables'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'

const MINUTE = 60_000
const DAY = 86_400_000
const noon = Date.UTC(2026, 0, 5, 12)
const at = (ms: number) => new Date(noon + ms)

describe.each(postgresVersions)('PostgreSQL %i', (version) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(version)
  })
  afterAll(() => database?.drop())

  let lastRoomId = 0n
  const newRoomId = () => {
    lastRoomId += 1n
    return lastRoomId
  }

  const hint = (roomId: bigint, ms: number, facts: Partial<RoomHint> = {}, reread = false) =>
    hintRooms(database.db, { hints: [{ roomId, ...facts }], hintedBy: 'callback', now: at(ms), reread })

  const jobOf = (roomId: bigint) =>
    database.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()

  async function claimed(roomId: bigint, ms: number) {
    const lease = { roomId, holder: `worker ${ms}` }
    expect(await claimRoom(database.db, { lease, now: at(ms) })).toBe(true)
    return lease
  }

  async function settleAs(roomId: bigint, state: JobState, ms: number) {
    const lease = await claimed(roomId, ms)
    if (state === 'archived') {
      await completeJob(database.db, {
        lease,
        now: at(ms),
        endedAt: null,
        requestId: undefined,
        rereadAfterMs: undefined,
      })
      return
    }
    await putOff(lease, ms, state, undefined)
  }

  const putOff = (
    lease: { roomId: bigint; holder: string },
    ms: number,
    state: JobState,
    dueInMs: number | undefined,
  ) =>
    deferJob(database.db, {
      lease,
      now: at(ms),
      state,
      dueInMs,
      costsAttempt: true,
      reason: 'not_ended',
      errorCode: 'FailedOperation.RoomNotEnd',
      errorMessage: 'still going on',
      requestId: undefined,
    })

  test('whatever hints come, however often and in whatever order, the job is as if each had come once', async () => {
    const facts: Record<HintSource, Partial<RoomHint>> = {
      callback: { sdkAppId: 1400n, endedAt: at(-MINUTE) },
      sweep: { sdkAppId: 1400n, endedAt: at(-MINUTE) },
      event: { endedAt: at(-MINUTE) },
      command: { plannedEndAt: at(-2 * MINUTE) },
    }
    const sources = fc.array(fc.constantFrom<HintSource[]>('callback', 'sweep', 'event', 'command'), {
      minLength: 1,
      maxLength: 12,
    })
    const jobAfter = async (hintedBy: readonly HintSource[]) => {
      const roomId = newRoomId()
      for (const source of hintedBy)
        await hintRooms(database.db, { hints: [{ roomId, ...facts[source] }], hintedBy: source, now: at(0) })
      const { room_id: _, hinted_by: __, created_at: ___, ...job } = await jobOf(roomId)
      return job
    }
    await fc.assert(
      fc.asyncProperty(sources, async (some) => {
        expect(await jobAfter(some)).toEqual(await jobAfter([...new Set(some)].sort()))
      }),
      { numRuns: 50 },
    )
  })

  test('what one of several hints in the same call knows of a room is kept', async () => {
    const roomId = newRoomId()
    const hints = [{ roomId, endedAt: at(-MINUTE) }, { roomId }]
    await hintRooms(database.db, { hints, hintedBy: 'sweep', now: at(0) })
    expect((await jobOf(roomId)).ended_at).toEqual(at(-MINUTE))
    // It is due as soon as the most impatient says, and its data are kept from its real end on.
    const planned = { plannedEndAt: at(-2 * MINUTE), notBefore: at(2 * MINUTE) }
    const several = async (...hints: Partial<RoomHint>[]) => {
      const roomId = newRoomId()
      await hintRooms(database.db, {
        hints: hints.map((facts) => ({ roomId, ...facts })),
        hintedBy: 'sweep',
        now: at(0),
      })
      return jobOf(roomId)
    }
    expect(await several(planned, { notBefore: at(MINUTE) })).toMatchObject({ due_at: at(MINUTE), waits: true })
    expect(await several(planned, { endedAt: at(-MINUTE) })).toMatchObject({
      due_at: at(0),
      waits: false,
      deadline_at: at(180 * DAY - MINUTE),
    })
  })

  test('what is known of a room first stays: its app, its end and with that its deadline', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0, { sdkAppId: 1n, endedAt: at(-MINUTE) })
    const before = await jobOf(roomId)
    // Hurries it, so that the row is written.
    await sql`update archive.jobs set due_at = ${at(DAY)} where room_id = ${roomId}`.execute(database.db)
    await hint(roomId, 0, { sdkAppId: 2n, endedAt: at(-DAY), plannedEndAt: at(-9 * DAY) })
    expect(await jobOf(roomId)).toEqual(before)
  })

  test('a hint never puts off a room that is due before', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    await hint(roomId, 0, { notBefore: at(DAY), sdkAppId: 1n })
    expect(await jobOf(roomId)).toMatchObject({ due_at: at(0), sdk_app_id: 1n })
  })

  test('a thousand hints for a room that waits have it tried at most once a minute', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    await putOff(await claimed(roomId, 0), 0, 'pending', 20 * MINUTE)
    for (let count = 0; count < 1000; count++) await hint(roomId, count * 50)
    expect((await jobOf(roomId)).due_at).toEqual(at(MINUTE))
    await hint(roomId, 2 * MINUTE)
    expect((await jobOf(roomId)).due_at).toEqual(at(MINUTE))
  })

  test('a hint for an archived room does not touch it, unless it asks for the room to be read once more', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0, { sdkAppId: 1n, endedAt: at(-MINUTE) })
    await settleAs(roomId, 'archived', 0)
    const version = async () => {
      const { rows } = await sql`select xmin::text, ctid::text from archive.jobs where room_id = ${roomId}`.execute(
        database.db,
      )
      return rows
    }
    const before = await version()
    for (let count = 0; count < 20; count++) await hint(roomId, 5 * MINUTE, { sdkAppId: 2n, endedAt: at(0) })
    expect(await version()).toEqual(before)
    await hint(roomId, 5 * MINUTE, {}, true)
    expect(await jobOf(roomId)).toMatchObject({ state: 'archived', due_at: at(5 * MINUTE) })
  })

  test.each(['failed', 'missing', 'expired'] as const)(
    'a hint gives a room that is %s another chance',
    async (state) => {
      const roomId = newRoomId()
      await hint(roomId, 0)
      await settleAs(roomId, state, 0)
      expect(await jobOf(roomId)).toMatchObject({ state, due_at: null })
      // Not more often than once a minute either.
      await hint(roomId, 30_000)
      expect(await jobOf(roomId)).toMatchObject({
        state: 'pending',
        due_at: at(MINUTE),
        failing_since: null,
        reason_since: null,
      })
    },
  )

  test('a hint that comes while a worker has the room is not lost: it is due a minute after that try began', async () => {
    const [hinted, other] = [newRoomId(), newRoomId()]
    for (const roomId of [hinted, other]) await hint(roomId, 0)
    const leases = [await claimed(hinted, 0), await claimed(other, 0)]
    await hint(hinted, 10_000)
    for (const lease of leases) await putOff(lease, 20_000, 'pending', 5 * MINUTE)
    expect((await jobOf(hinted)).due_at).toEqual(at(MINUTE))
    expect((await jobOf(other)).due_at).toEqual(at(20_000 + 5 * MINUTE))
    // That hint is answered by the next try: it does not hurry the one after it.
    await putOff(await claimed(hinted, 2 * MINUTE), 2 * MINUTE, 'pending', 5 * MINUTE)
    expect((await jobOf(hinted)).due_at).toEqual(at(7 * MINUTE))
    // One that comes during that try does.
    const third = await claimed(hinted, 8 * MINUTE)
    await hint(hinted, 8 * MINUTE + 1000)
    await putOff(third, 8 * MINUTE + 2000, 'pending', 5 * MINUTE)
    expect((await jobOf(hinted)).due_at).toEqual(at(9 * MINUTE))
  })

  test('a hint that comes while a holder without a lease in force still has the room is not lost either', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    const lease = await claimed(roomId, 0)
    await hint(roomId, 2 * MINUTE)
    await putOff(lease, 3 * MINUTE, 'pending', 20 * MINUTE)
    expect((await jobOf(roomId)).due_at).toEqual(at(3 * MINUTE))
  })

  test('a hint whose transaction had begun before the room was taken is not lost either', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    const lease = await claimed(roomId, 1000)
    await hint(roomId, 500)
    await putOff(lease, 2000, 'failed', undefined)
    expect((await jobOf(roomId)).due_at).toEqual(at(1000 + MINUTE))
  })

  test('a re-read that is asked for while the room is read is made after that', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    await settleAs(roomId, 'archived', 0)
    const lease = await claimed(roomId, 5 * MINUTE)
    await hint(roomId, 5 * MINUTE + 1000, {}, true)
    const done = { now: at(6 * MINUTE), endedAt: null, requestId: undefined, rereadAfterMs: undefined }
    await completeJob(database.db, { lease, ...done })
    expect(await jobOf(roomId)).toMatchObject({ state: 'archived', due_at: at(6 * MINUTE) })
    await completeJob(database.db, { lease: await claimed(roomId, 7 * MINUTE), ...done, now: at(8 * MINUTE) })
    expect(await jobOf(roomId)).toMatchObject({ state: 'archived', due_at: null })
    // Also where the read comes to nothing, and where it was due by itself.
    await hint(roomId, 10 * MINUTE, {}, true)
    const again = await claimed(roomId, 11 * MINUTE)
    await hint(roomId, 11 * MINUTE + 1000, {}, true)
    await putOff(again, 13 * MINUTE, 'archived', undefined)
    expect(await jobOf(roomId)).toMatchObject({ state: 'archived', due_at: at(12 * MINUTE) })
  })

  test('a room that a worker has while somebody makes it due by hand is due after that', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    const lease = await claimed(roomId, 0)
    expect(await retryRooms(database.db, { rooms: [roomId], now: at(10_000) })).toEqual([roomId])
    await putOff(lease, 20_000, 'pending', 20 * MINUTE)
    expect((await jobOf(roomId)).due_at).toEqual(at(MINUTE))
    await settleAs(roomId, 'archived', 2 * MINUTE)
    const reread = await claimed(roomId, 3 * MINUTE)
    await retryRooms(database.db, { rooms: [roomId], now: at(3 * MINUTE + 1000) })
    await putOff(reread, 3 * MINUTE + 2000, 'archived', undefined)
    expect(await jobOf(roomId)).toMatchObject({ state: 'archived', due_at: at(4 * MINUTE) })
  })

  test('while the end is not known, the deadline is 180 days after the planned one', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    await hint(roomId, MINUTE, { plannedEndAt: at(-170 * DAY) })
    expect(await jobOf(roomId)).toMatchObject({ ended_at: null, deadline_at: at(10 * DAY) })
    await hint(roomId, MINUTE, { plannedEndAt: at(0) })
    expect((await jobOf(roomId)).deadline_at).toEqual(at(10 * DAY))
    await hint(roomId, MINUTE, { endedAt: at(-169 * DAY) })
    expect((await jobOf(roomId)).deadline_at).toEqual(at(11 * DAY))
    const planned = newRoomId()
    await hint(planned, 0, { plannedEndAt: at(2 * DAY), notBefore: at(2 * DAY) })
    expect(await jobOf(planned)).toMatchObject({ due_at: at(2 * DAY), deadline_at: at(182 * DAY) })
  })

  test('the deadline is 180 days after the end, once that is known', async () => {
    const roomId = newRoomId()
    await hint(roomId, 0)
    expect((await jobOf(roomId)).deadline_at).toEqual(at(180 * DAY))
    await hint(roomId, MINUTE, { endedAt: at(-3 * DAY) })
    expect((await jobOf(roomId)).deadline_at).toEqual(at(177 * DAY))
    await hint(roomId, MINUTE, { endedAt: at(-DAY) })
    expect(await jobOf(roomId)).toMatchObject({ ended_at: at(-3 * DAY), deadline_at: at(177 * DAY) })
  })

  test('twenty that hint at the same fifty rooms at once, in any order, make one job each', async () => {
    const rooms = Array.from({ length: 50 }, newRoomId)
    const created = await Promise.all(
      Array.from({ length: 20 }, (_, turn) => {
        const turned = [...rooms.slice(turn), ...rooms.slice(0, turn)]
        const hints = (turn % 2 ? turned.reverse() : turned).map((roomId) => ({ roomId, endedAt: at(turn) }))
        return hintRooms(database.db, { hints, hintedBy: 'sweep', now: at(0) })
      }),
    )
    expect(created.reduce((sum, count) => sum + count)).toBe(50)
  })
})
