import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Budget, OUT_OF_BUDGET, SlotMissedError, type SlotWait } from '../../lib/archive/budget'
import type { ArchiveEvent, Patience } from '../../lib/archive/context'
import { request } from '../../lib/archive/request'
import type { Clock } from '../../lib/clock'
import type { LcicAction, RequestOptions } from '../../lib/lcic/client'
import { type FailureKind, SourceError } from '../../lib/lcic/errors'
import { testLog } from '../support/log-directory'

// Of the time that may be drawn for a delay all is taken: they are as the schedule has them.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0))
afterEach(() => vi.restoreAllMocks())

const subject = { roomId: 7n, page: 2 }
const answer = (requestId: string) => ({ requestId })
const failure = (kind: FailureKind, code: string, options?: { requestId?: string; retryAfterMs?: number }) =>
  new SourceError(kind, code, 'What the vendor says.', options)

/** What LCIC does with a request, 40 ms after it has left. */
type Deed = { readonly requestId: string } | Error

interface Options {
  readonly patience?: Partial<Patience>
  readonly keepAlive?: () => Promise<void>
  /** What becomes of the slots, in turn; they are used otherwise. */
  readonly slots?: readonly (Error | undefined)[]
  /** Nobody is told RequestIds, or of refusals. */
  readonly isSilent?: boolean
}

/** A request, and all that is to be seen of it. */
async function ask(deeds: readonly Deed[], { patience, keepAlive, slots = [], isSilent }: Options = {}) {
  const start = 1_000_000
  let time = start
  const slept: number[] = []
  const clock: Clock = {
    now: () => time,
    async sleep(durationMs, signal) {
      signal?.throwIfAborted()
      slept.push(durationMs)
      time += durationMs
    },
  }
  const taken: (SlotWait & { action: LcicAction })[] = []
  const pauses: [LcicAction, number][] = []
  const budget: Budget = {
    async take(action, wait) {
      time += 10
      const fate = slots[taken.push({ action, ...wait }) - 1]
      return {
        use() {
          if (fate) throw fate
        },
      }
    },
    async pushBack(...pause) {
      pauses.push(pause)
    },
  }
  const sent: RequestOptions[] = []
  async function send(options: RequestOptions) {
    sent.push(options)
    time += 100
    options.beforeSend?.()
    time += 40.25
    const deed = deeds[sent.length - 1 - slots.filter(Boolean).length]
    if (!deed || deed instanceof Error) throw deed
    return deed
  }
  const requestIds: string[] = []
  const events: ArchiveEvent[] = []
  const logged: Record<string, unknown>[] = []
  const log = testLog((line) => {
    logged.push(JSON.parse(line))
  })
  const observe = (event: ArchiveEvent) => events.push(event)
  const context = { budget, clock, log, ...(!isSilent && { observe }) }
  const asked = {
    action: 'GetRooms',
    subject,
    send,
    ...(!isSilent && { requestIds }),
    ...(keepAlive && { keepAlive }),
  } as const
  const outcome = await request(context, asked, { waitMs: 0, ...patience }).catch((error: unknown) => error)
  return { outcome, slept, taken, pauses, sent, requestIds, events, logged }
}

test('a request takes a slot, is sent in it, and its RequestId is kept', async () => {
  const { signal } = new AbortController()
  const keepAlive = async () => undefined
  const patience = { deadline: 1_005_000, requestTimeoutMs: 1500, signal }
  const seen = await ask([answer('first')], { patience, keepAlive })
  expect(seen).toMatchObject({ outcome: { requestId: 'first' }, requestIds: ['first'], slept: [], pauses: [] })
  expect(seen.taken).toEqual([{ action: 'GetRooms', mostMs: 5000, signal, keepAlive }])
  expect(seen.sent).toEqual([{ beforeSend: expect.any(Function), signal, timeoutMs: 1500 }])
  expect(seen.logged).toMatchObject([
    {
      level: 20,
      msg: 'answer',
      roomId: '7',
      page: 2,
      action: 'GetRooms',
      requestId: 'first',
      // From when it left, and not from when it was signed.
      durationMs: 40,
    },
  ])
})

test('without a deadline, a signal and a time-out none is handed on, and nobody has to be told of anything', async () => {
  const refusal = failure('throttled', 'RequestLimitExceeded', { requestId: 'refusal' })
  const seen = await ask([refusal, answer('second')], { isSilent: true })
  expect(seen).toMatchObject({ outcome: answer('second'), requestIds: [] })
  expect(seen.taken[0]).toMatchObject({ mostMs: Number.POSITIVE_INFINITY, signal: undefined, keepAlive: undefined })
  expect(seen.sent[0]).toMatchObject({ signal: undefined, timeoutMs: undefined })
})

test('a slot that was missed is followed by another at once, however many are', async () => {
  const keepAlive = vi.fn(async () => undefined)
  const slots = Array.from({ length: 30 }, () => new SlotMissedError())
  const seen = await ask([answer('first')], { slots, keepAlive })
  expect(seen).toMatchObject({ outcome: { requestId: 'first' }, slept: [], events: [], requestIds: ['first'] })
  expect(seen.taken).toHaveLength(31)
  expect(keepAlive).toHaveBeenCalledTimes(30)
  expect(seen.logged[0]).toMatchObject({ level: 20, msg: 'late for a slot', roomId: '7', page: 2, action: 'GetRooms' })
  expect(await ask([answer('first')], { slots: [new SlotMissedError()] })).toMatchObject({ outcome: answer('first') })
})

test('a refusal is kept, told, and followed by another try after its delay', async () => {
  const keepAlive = vi.fn(async () => undefined)
  const refusal = failure('unknown', 'Odd', { requestId: 'refusal' })
  const seen = await ask([refusal, answer('second')], { keepAlive })
  expect(seen).toMatchObject({ outcome: answer('second'), requestIds: ['refusal', 'second'], slept: [500], pauses: [] })
  expect(seen.events).toEqual([{ type: 'refused', code: 'Odd', retryInMs: 500 }])
  expect(keepAlive).toHaveBeenCalledTimes(2)
  const facts = { roomId: '7', page: 2, action: 'GetRooms', kind: 'unknown', code: 'Odd', requestId: 'refusal' }
  expect(seen.logged).toMatchObject([
    { level: 40, msg: 'unknown code', ...facts, durationMs: 40 },
    { level: 20, msg: 'retry', ...facts, durationMs: 40, delayMs: 500 },
    { msg: 'answer' },
  ])
})

test('a failure that is known is no reason to warn, and one without an answer has no RequestId', async () => {
  const seen = await ask([failure('transient', 'E_NETWORK'), answer('second')])
  expect(seen).toMatchObject({ outcome: answer('second'), requestIds: ['second'], slept: [500], pauses: [] })
  expect(seen.logged.map(({ msg }) => msg)).toEqual(['retry', 'answer'])
})

test('who asked too often pushes the budget back for as long as LCIC says', async () => {
  const refused = failure('throttled', 'RequestLimitExceeded')
  const told = failure('throttled', 'RequestLimitExceeded', { retryAfterMs: 7000 })
  const seen = await ask([refused, told, answer('third')])
  expect(seen).toMatchObject({ outcome: answer('third'), slept: [0, 0] })
  expect(seen.pauses).toEqual([
    ['GetRooms', 0],
    ['GetRooms', 7000],
  ])
})

test('each kind of failure has delays of its own', async () => {
  const transient = failure('transient', 'E_NETWORK')
  const unknown = failure('unknown', 'Odd')
  const many = [transient, unknown, transient, unknown, transient, unknown, transient, unknown]
  expect(await ask([...many, answer('ninth')])).toMatchObject({
    outcome: answer('ninth'),
    slept: [500, 500, 1000, 1000, 2000, 2000, 4000, 4000],
  })
  expect(await ask([...many, transient])).toMatchObject({ outcome: transient })
})

test('statistics that are not ready are waited for from the first time LCIC said so', async () => {
  const notReady = failure('not_ready', 'ResourceUnavailable')
  // From the first to the fourth: three delays, and what the requests took.
  const took = 3 * (10 + 100 + 40.25) + 1000 + 1500 + 2000
  const slept = [1000, 1500, 2000, 3000]
  const four = Array(4).fill(notReady)
  const patient = await ask([...four, answer('fifth')], { patience: { waitMs: took + 3000 } })
  expect(patient).toMatchObject({ outcome: answer('fifth'), slept })
  const seen = await ask([...four, answer('fifth')], { patience: { waitMs: took + 2999 } })
  expect(seen).toMatchObject({ outcome: notReady, slept: slept.slice(0, 3) })
})

test('no retry begins at the deadline or after it', async () => {
  const refusal = failure('transient', 'InternalError', { requestId: 'refusal' })
  const failedAt = 1_000_000 + 10 + 100 + 40.25
  const late = await ask([refusal, answer('second')], { patience: { deadline: failedAt + 500 } })
  expect(late).toMatchObject({ outcome: refusal, slept: [], events: [], requestIds: ['refusal'] })
  const soon = await ask([refusal, answer('second')], { patience: { deadline: failedAt + 501 } })
  expect(soon).toMatchObject({ outcome: answer('second'), slept: [500] })
})

test('a budget without slots, what is no refusal, and a lease that is lost end it', async () => {
  const outOfBudget = failure('throttled', OUT_OF_BUDGET)
  expect(await ask([outOfBudget])).toMatchObject({ outcome: outOfBudget, pauses: [], logged: [] })
  const defect = new Error('a defect')
  expect(await ask([defect])).toMatchObject({ outcome: defect, logged: [] })
  const lost = new Error('lost')
  const keepAlive = () => Promise.reject(lost)
  expect(await ask([failure('transient', 'E_NETWORK')], { keepAlive })).toMatchObject({ outcome: lost, slept: [] })
})

test('aborted for what another request was answered, it takes that for no answer of its own', async () => {
  const controller = new AbortController()
  const reason = failure('throttled', 'RequestLimitExceeded', { requestId: 'of another' })
  controller.abort(reason)
  const keepAlive = vi.fn(async () => undefined)
  const seen = await ask([reason], { patience: { signal: controller.signal }, keepAlive })
  expect(seen).toMatchObject({ outcome: reason, requestIds: [], pauses: [], events: [], slept: [] })
  expect(keepAlive).not.toHaveBeenCalled()
})

test('once it is aborted no slot is taken any more, and no sleep begins', async () => {
  const reason = new Error('enough')
  const aborting = () => {
    const controller = new AbortController()
    const keepAlive = async () => controller.abort(reason)
    return { patience: { signal: controller.signal }, keepAlive }
  }
  const late = await ask([answer('first')], { ...aborting(), slots: [new SlotMissedError()] })
  expect(late.outcome).toBe(reason)
  expect(late.taken).toHaveLength(1)
  const refused = await ask([failure('transient', 'E_NETWORK'), answer('second')], aborting())
  expect(refused).toMatchObject({ outcome: reason, slept: [] })
})
