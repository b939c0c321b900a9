import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { ArchiveContext } from '../archive/context'
import { openContext } from '../archive/open-context'
import { systemClock } from '../clock'
import { type Config, readConfig } from '../config'
import { connect } from '../db/connect'
import type { Database } from '../db/tables'
import { describeError, UsageError } from '../errors'
import { idsAsJson } from '../json'
import { createLog } from '../log'
import { beginInvocation, type Invocation, TimeUpError } from './invocation'
import { keepHeapSmall } from './small-heap'

/** What an instance of a function keeps between invocations, and what the present one may take. */
export interface FunctionCall {
  readonly config: Config
  readonly db: Kysely<Database>
  readonly log: Logger
  readonly invocation: Invocation
  /** What archiving needs; opened once. */
  archive(): ArchiveContext
}

interface Kept {
  readonly config: Config
  readonly db: Kysely<Database>
  readonly log: Logger
  context?: ArchiveContext
}

/** How long a function waits for the database. */
interface DatabasePatience {
  /** A connection on which nothing has moved for so long counts as dead; 0: none does. */
  readonly silenceMs?: number
  /** How long the server may take to let it in. */
  readonly connectMs?: number
}

let kept: Kept | undefined

/**
 * Makes what SCF calls: `async (event, context)`, which answers JSON. Connections are kept for the next invocation; they
 * do not keep this one from ending. An event that cannot be read is answered with what is wrong with it; any other error
 * ends the invocation as failed, so that the platform counts it, and repeats it where it does so.
 */
export function functionOf<Answer>(
  run: (call: FunctionCall, event: unknown) => Promise<Answer>,
  { silenceMs = SILENCE_MS, connectMs = CONNECT_MS }: DatabasePatience = {},
): (event: unknown, context: unknown) => Promise<unknown> {
  keepHeapSmall()
  return async (event, context) => {
    using invocation = beginInvocation(context, systemClock)
    const { requestId, functionName } = invocation
    const startedAt = systemClock.now()
    let log = kept?.log
    // Connections may have ended while the instance was frozen: that is heard before one of them is used.
    await hearWhatHasArrived()
    try {
      kept ??= open({ silenceMs, connectMs })
      const { config, db } = kept
      log = kept.log.child({ function: functionName, invocation: requestId })
      const keeping = kept
      const call = {
        config,
        db,
        log,
        invocation,
        archive() {
          keeping.context ??= openContext(config, { db, log: keeping.log })
          // Whoever is made from the same snapshot as another has its process id, too.
          return { ...keeping.context, log: call.log, worker: `scf ${requestId}` }
        },
      }
      const answer = await run(call, event)
      return JSON.parse(JSON.stringify(answer, idsAsJson))
    } catch (error) {
      // What was not done is done by the next invocation.
      if (error instanceof TimeUpError) return { time_is_up: true }
      const { code = 'E_UNEXPECTED', message } = describeError(error)
      const durationMs = Math.round(systemClock.now() - startedAt)
      ;(log ?? createLog('info')).error({ err: error, code, durationMs }, 'failed')
      if (error instanceof UsageError && error.code === 'E_EVENT') return { error: { code, message } }
      // What the platform logs of it must not quote what PostgreSQL quotes.
      throw new Error(`${message} [${code}]`)
    }
  }
}

/** One turn of the event loop ends with the first; in the second one all sockets are looked at. */
async function hearWhatHasArrived(): Promise<void> {
  await new Promise(setImmediate)
  await new Promise(setImmediate)
}

/** A statement of a function takes seconds at most; a connection may have gone while the instance was frozen. */
const SILENCE_MS = 20_000
const CONNECT_MS = 5_000

function open({ silenceMs, connectMs }: Required<DatabasePatience>): Kept {
  const config = readConfig()
  const { databaseUrl: url, databaseCa: ca, logLevel = 'info' } = config
  if (url === undefined) {
    throw new UsageError(
      'E_CONFIG',
      'The environment is not right:\n  DATABASE_URL: is not set, for example postgres://user:password@host:5432/lcic?sslmode=verify-full',
    )
  }
  return {
    config,
    db: connect({ url, connectMs, ...(ca && { ca }), ...(silenceMs > 0 && { silenceMs }) }),
    log: createLog(logLevel),
  }
}
