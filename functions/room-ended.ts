import { type CallbackReceiver, createCallbackReceiver } from '../lib/archive/receive-callback'
import { databaseTime } from '../lib/db/instant'
import { readHttpEvent } from '../lib/platform/events'
import { type FunctionCall, functionOf } from '../lib/platform/runtime'
import { startWorker } from '../lib/platform/start-worker'

/** LCIC's callback: a room has ended. It is stored before it is answered, and archiving starts at once. */
export const main_handler = functionOf(
  async (call, event) => {
    const { status, body, isDue } = await receiverOf(call)(readHttpEvent(event), call.log)
    if (isDue) await startWorker(call)
    return { statusCode: status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  },
  // Whoever calls back waits for seconds only, and calls again. The database is tried twice.
  { connectMs: 1500, silenceMs: 4000 },
)

let receive: CallbackReceiver | undefined

function receiverOf({ config, db }: FunctionCall): CallbackReceiver {
  receive ??= createCallbackReceiver({ config: config.callback, db, now: () => databaseTime, clock: { now: Date.now } })
  return receive
}
