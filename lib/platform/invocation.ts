import * as z from 'zod'

/** What SCF tells a function of one invocation; fields that it may not give are not needed. Source: SCF's Node.js runtime. */
const contextSchema = z.looseObject({
  request_id: z.string().max(100).catch(''),
  function_name: z.string().max(100).catch(''),
  namespace: z.string().max(100).catch('default'),
  tencentcloud_region: z.string().max(40).catch(''),
  time_limit_in_ms: z.number().catch(60_000),
})

export interface Invocation extends Disposable {
  readonly requestId: string
  readonly functionName: string
  readonly namespace: string
  readonly region: string
  /** When to take nothing more into hand; milliseconds, by the clock given. */
  readonly deadline: number
  /** Aborted shortly before the platform would end the process: what is in hand then is given back. */
  readonly signal: AbortSignal
}

/** Time to give rooms back and to answer, before the platform's time-out; and before that, for what is in hand. */
const GIVE_BACK_MS = 2000
const FINISH_MS = 3000

/** The reason an invocation's signal is aborted with. */
export class TimeUpError extends Error {}

/** @param clock milliseconds */
export function beginInvocation(context: unknown, clock: { now(): number }): Invocation {
  const { request_id, function_name, namespace, tencentcloud_region, time_limit_in_ms } = contextSchema.parse(
    context ?? {},
  )
  const leftMs = remainingMs(context) ?? time_limit_in_ms
  // Of a short time a part at least is to work in.
  const reserveMs = Math.min(GIVE_BACK_MS, leftMs / 4)
  const controller = new AbortController()
  const timer = setTimeout(
    () => controller.abort(new TimeUpError('The time of this invocation is up.')),
    leftMs - reserveMs,
  )
  return {
    requestId: request_id,
    functionName: function_name,
    namespace,
    region: tencentcloud_region,
    deadline: clock.now() + leftMs - reserveMs - Math.min(FINISH_MS, leftMs / 4),
    signal: controller.signal,
    // Else it would keep the invocation alive until the time is up.
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}

function remainingMs(context: unknown): number | undefined {
  if (typeof context !== 'object' || context === null || !('getRemainingTimeInMillis' in context)) return undefined
  const { getRemainingTimeInMillis: ask } = context
  const ms: unknown = typeof ask === 'function' ? ask.call(context) : undefined
  return typeof ms === 'number' && Number.isFinite(ms) ? Math.max(0, ms) : undefined
}
