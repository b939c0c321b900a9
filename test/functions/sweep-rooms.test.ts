import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { answerOf, type Functions, openFunctions, timer } from '../support/functions'
import type { Instance } from '../support/platform'

let functions: Functions
let instance: Instance

beforeAll(async () => {
  functions = await openFunctions()
  instance = await functions.start('sweep-rooms')
})

afterAll(() => functions?.close())

beforeEach(async () => {
  functions.simulator.requests.length = 0
  await sql`delete from archive.jobs`.execute(functions.db)
})

const everyTenMinutes = timer('every-ten-minutes')
const DAY_S = 86_400

function classThatEnded(secondsAgo: number) {
  const scheduledEndAt = Math.floor(Date.now() / 1000) - secondsAgo
  return functions.school.addRoom({ members: 2, scheduledEndAt })
}

async function dueRooms(): Promise<bigint[]> {
  const { rows } = await sql<{ room_id: bigint }>`
    select room_id from archive.jobs where state = 'pending' and hinted_by = 'sweep' order by room_id`.execute(
    functions.db,
  )
  return rows.map(({ room_id }) => room_id)
}

test('the timer finds the rooms that ended, and makes them due', async () => {
  const rooms = [classThatEnded(600), classThatEnded(2 * DAY_S)]
  const answer = answerOf<{ apps: object[] }>(await instance.invoke(everyTenMinutes))
  expect(answer.apps).toMatchObject([{ sdk_app_id: functions.school.sdkAppId, ended: 2, new_jobs: 2 }])
  expect(await dueRooms()).toEqual(rooms.map(({ roomId }) => roomId))
  expect(answerOf(await instance.invoke(everyTenMinutes))).toMatchObject({ apps: [{ new_jobs: 0 }] })
})

test('an event that names a span has the rooms of that span found, however long ago', async () => {
  const old = classThatEnded(20 * DAY_S)
  expect(answerOf(await instance.invoke({ From: '21d', To: '19d' }))).toMatchObject({ apps: [{ new_jobs: 1 }] })
  expect(await dueRooms()).toEqual([old.roomId])
  const [from, to] = [21, 19].map((days) => new Date(Date.now() - days * DAY_S * 1000).toISOString())
  expect(answerOf(await instance.invoke({ From: from, To: to, SomethingNew: 1 }))).toMatchObject({
    apps: [{ new_jobs: 0 }],
  })
})

test.each([
  ['names no times', { From: 'yesterday', To: 5 }],
  ['names only an end', { To: '1d' }],
  ['ends before it begins', { From: '1d', To: '2d' }],
  ['begins in the future', { From: '2099-01-01' }],
  ['is a list', [1]],
  ['is a text', 'sweep'],
])('an event that %s is answered with what is wrong with it, and LCIC is asked for nothing', async (_what, event) => {
  const answer = answerOf(await instance.invoke(event))
  expect(answer).toEqual({ error: { code: 'E_EVENT', message: expect.stringMatching(/From/) } })
  expect(functions.simulator.requests).toEqual([])
})

test('when its time runs out it stops, and the next sweep finds what it did not come to', async () => {
  for (let count = 0; count < 450; count++) classThatEnded(3600)
  functions.simulator.setFaults(({ page = 1 }) => (page > 1 ? { kind: 'delay', ms: 300 } : undefined))
  const outcome = await instance.invoke(everyTenMinutes, { timeLimitMs: 1000 })
  answerOf(outcome)
  expect(outcome.durationMs).toBeLessThan(1000)
  functions.simulator.setFaults(undefined)
  answerOf(await instance.invoke(everyTenMinutes))
  expect((await dueRooms()).length).toBeGreaterThanOrEqual(450)
})

test('without LCIC_SDK_APP_IDS it fails, and names the variable', async () => {
  const lost = await functions.start('sweep-rooms', { environment: { LCIC_SDK_APP_IDS: '' } })
  const { error, died, idleAfterMs } = await lost.invoke(everyTenMinutes)
  expect({ error, died }).toEqual({ error: expect.stringMatching(/LCIC_SDK_APP_IDS.*\[E_CONFIG\]/), died: false })
  expect(idleAfterMs).toBeLessThan(100)
})
