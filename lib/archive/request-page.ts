import pRetry from 'p-retry'
import { renewLease } from '../db/leases'
import { SourceError } from '../lcic/errors'
import type { StatisticsPage } from '../lcic/statistics'
import { type ArchiveContext, type Attempt, LEASE_MS, LeaseLostError, type Patience } from './context'
import { retryDelayMs } from './schedule'

/**
 * Asks for one page until it comes or it is time to put the room off. Each request takes a slot of the shared budget; a
 * refusal for asking too often pushes the whole budget back.
 *
 * @throws {SourceError} the last failure
 */
export async function requestPage(
  { db, lcic, budget, clock, log, observe }: ArchiveContext,
  { lease, requestIds }: Attempt,
  page: number,
  { waitMs, deadline = Number.POSITIVE_INFINITY, requestTimeoutMs, signal }: Patience,
): Promise<StatisticsPage> {
  const { roomId } = lease
  const failures = new Map<string, { count: number; since: number }>()

  async function request(): Promise<StatisticsPage> {
    await budget.take('DescribeRoomStatistics', deadline - clock.now(), signal)
    const answer = await lcic.describeRoomStatistics(roomId, page, {
      ...(signal && { signal }),
      ...(requestTimeoutMs !== undefined && { timeoutMs: requestTimeoutMs }),
    })
    requestIds.push(answer.requestId)
    return answer
  }

  /** Sleeps before the next try, or throws what makes it pointless. */
  async function prepareRetry(error: Error): Promise<void> {
    if (!(error instanceof SourceError) || error.code === 'E_BUDGET') throw error
    if (error.requestId !== undefined) requestIds.push(error.requestId)
    if (error.kind === 'unknown')
      log.warn({ roomId, page, code: error.code, requestId: error.requestId }, 'unknown code')
    if (error.kind === 'throttled') await budget.pushBack('DescribeRoomStatistics', error.retryAfterMs ?? 0)
    const now = clock.now()
    const { count, since } = failures.get(error.kind) ?? { count: 0, since: now }
    failures.set(error.kind, { count: count + 1, since })
    const delayMs = retryDelayMs(error.kind, { failures: count + 1, waitedMs: now - since, waitMs })
    if (delayMs === undefined || now + delayMs >= deadline) throw error
    log.debug({ roomId, page, code: error.code, requestId: error.requestId, delayMs }, 'retry')
    observe?.({ type: 'refused', roomId, code: error.code, retryInMs: delayMs })
    if (!(await renewLease(db, { lease, until: new Date(now + LEASE_MS) }))) throw new LeaseLostError()
    await clock.sleep(delayMs, signal)
  }

  // p-retry sleeps on the machine's clock; its delays are 0, and prepareRetry sleeps on ours.
  return pRetry(request, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 0,
    onFailedAttempt: ({ error }) => prepareRetry(error),
    ...(signal && { signal }),
  })
}
