import pRetry from 'p-retry'
import type { LcicAction, RequestOptions } from '../lcic/client'
import { SourceError } from '../lcic/errors'
import { OUT_OF_BUDGET, SlotMissedError } from './budget'
import type { ArchiveContext, Patience } from './context'
import { retryDelayMs } from './schedule'

/** A request to LCIC that may have to be sent more than once. */
export interface SourceRequest<Answer> {
  readonly action: LcicAction
  /** What it asks for, in the log. */
  readonly subject: Readonly<Record<string, bigint | number>>
  send(options: RequestOptions): Promise<Answer>
  /** Is told the RequestId of each answer, refusals included. */
  readonly requestIds?: string[]
  /** Renews what must not lapse; called before and after each wait for a retry, and every now and then while a slot is awaited. */
  keepAlive?(): Promise<void>
}

/**
 * Asks LCIC until it answers or it is time to give up. Each request takes a slot of the shared budget; a refusal for
 * asking too often pushes the whole budget back.
 *
 * @throws {SourceError} the last failure
 */
export async function request<Answer extends { readonly requestId: string }>(
  { budget, clock, log, observe }: Pick<ArchiveContext, 'budget' | 'clock' | 'log' | 'observe'>,
  { action, subject, send, requestIds, keepAlive }: SourceRequest<Answer>,
  { waitMs, deadline = Number.POSITIVE_INFINITY, requestTimeoutMs, signal }: Patience,
): Promise<Answer> {
  const failures = new Map<string, { count: number; since: number }>()

  /** When the last request left. */
  let sentAt = clock.now()

  async function sendOnce(): Promise<Answer> {
    const slot = await budget.take(action, { mostMs: deadline - clock.now(), signal, keepAlive })
    const answer = await send({
      beforeSend() {
        sentAt = clock.now()
        slot.use()
      },
      signal,
      timeoutMs: requestTimeoutMs,
    })
    requestIds?.push(answer.requestId)
    log.debug({ ...subject, action, requestId: answer.requestId, durationMs: tookMs() }, 'answer')
    return answer
  }

  function tookMs(): number {
    return Math.round(clock.now() - sentAt)
  }

  /** Sleeps before the next try, or throws what makes it pointless. */
  async function prepareRetry(error: Error): Promise<void> {
    // Why it is aborted is no answer to it, even if it is one to another request.
    if (error === signal?.reason) throw error
    if (error instanceof SlotMissedError) {
      log.debug({ ...subject, action }, 'late for a slot')
      return keepAlive?.()
    }
    if (!(error instanceof SourceError) || error.code === OUT_OF_BUDGET) throw error
    const { kind, code, requestId } = error
    if (requestId !== undefined) requestIds?.push(requestId)
    const failure = { ...subject, action, kind, code, requestId, durationMs: tookMs() }
    if (kind === 'unknown') log.warn(failure, 'unknown code')
    if (kind === 'throttled') await budget.pushBack(action, error.retryAfterMs ?? 0)
    const now = clock.now()
    const { count, since } = failures.get(kind) ?? { count: 0, since: now }
    failures.set(kind, { count: count + 1, since })
    const delayMs = retryDelayMs(kind, { failures: count + 1, waitedMs: now - since, waitMs })
    if (delayMs === undefined || now + delayMs >= deadline) throw error
    log.debug({ ...failure, delayMs }, 'retry')
    observe?.({ type: 'refused', code, retryInMs: delayMs })
    await keepAlive?.()
    await clock.sleep(delayMs, signal)
    await keepAlive?.()
  }

  // p-retry sleeps on the machine's clock; its delays are 0, and prepareRetry sleeps on ours.
  return pRetry(sendOnce, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 0,
    onFailedAttempt: ({ error }) => prepareRetry(error),
    ...(signal && { signal }),
  })
}
