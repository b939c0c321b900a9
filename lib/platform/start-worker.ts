import type { Logger } from 'pino'
import { slotSpacingMs } from '../archive/budget'
import type { Config } from '../config'
import { reserveInvocation } from '../db/reserve-invocation'
import { describeError } from '../errors'
import { createScfClient } from '../scf/client'
import type { FunctionCall } from './runtime'

/** However many callbacks come, `archive-rooms` is started no more often than this. */
export const START_SPACING_MS = 100

/** Longer than it takes; whoever called back waits for that, too. */
const TIMEOUT_SECONDS = 2

/**
 * Starts `archive-rooms`, which lies beside this function, without waiting for what it does; unless that was done just
 * now, or workers are at it. Whatever goes wrong is only logged: the timer starts it within a minute.
 */
export async function startWorker({ config, db, log, invocation }: FunctionCall): Promise<void> {
  const { functionName, namespace, region } = invocation
  const worker = functionName.replace(/room-ended$/, 'archive-rooms')
  try {
    if (worker === functionName) return log.warn('only a function whose name ends with room-ended knows its neighbour')
    const busyMs = 1.5 * slotSpacingMs(config.requestsPerSecond)
    if (!(await reserveInvocation(db, { functionName: worker, spacingMs: START_SPACING_MS, busyMs }))) return
    await invoke(config, { worker, namespace, region }, log)
  } catch (error) {
    const { code, message } = describeError(error)
    log.warn({ worker, code, reason: message }, 'archive-rooms could not be started; its timer does that')
  }
}

async function invoke(
  config: Config,
  { worker, namespace, region }: { worker: string; namespace: string; region: string },
  log: Logger,
): Promise<void> {
  const client = createScfClient(config.scf, { region, timeoutSeconds: TIMEOUT_SECONDS })
  const { RequestId } = await client.Invoke({
    FunctionName: worker,
    Namespace: namespace,
    InvocationType: 'Event',
    ClientContext: JSON.stringify({ Type: 'Callback' }),
  })
  log.info({ worker, requestId: RequestId }, 'started')
}
