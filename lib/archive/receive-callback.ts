import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { CallbackConfig } from '../config'
import { isConnectionProblem, isDatabaseTrouble, isDataRefusal } from '../db/connect'
import type { Instant } from '../db/instant'
import type { Database } from '../db/tables'
import { describeError } from '../errors'
import { CallbackError, readCallback } from '../lcic/callback'
import { createCallbackInbox, InboxFullError } from './callback-inbox'

/** What to answer, by HTTP. LCIC calls again for a while where it is not 200. */
export interface CallbackAnswer {
  readonly status: 200 | 400 | 401 | 403 | 405 | 413 | 503
  readonly body: { readonly error_code: number; readonly error?: string }
  /** Whether a room is due now that nobody works on. */
  readonly isDue: boolean
  /** `accepted`: stored; `ignored`: of an event that means nothing to the archive. */
  readonly outcome: 'accepted' | 'ignored' | 'refused'
  /** Why it was refused: `E_CALLBACK_…`. */
  readonly code?: string
}

export type CallbackReceiver = (
  request: { readonly method: string; readonly body: string },
  log: Logger,
) => Promise<CallbackAnswer>

/**
 * Receives LCIC's callbacks. One that says that a room has ended is stored, and its job made due, before it is answered;
 * others are accepted and ignored. A callback costs no request to LCIC beyond one per room and minute, however often it
 * comes.
 */
export function createCallbackReceiver({
  config,
  db,
  now,
  clock,
}: {
  config: CallbackConfig
  db: Kysely<Database>
  now: () => Instant
  /** Milliseconds since the epoch; what signatures expire by. */
  clock: { now(): number }
}): CallbackReceiver {
  const inbox = createCallbackInbox({ db, now, isReduced: config.isReduced })
  const refusals = createRefusalLog(clock)

  return async ({ method, body }, log) => {
    if (method !== 'POST') return refused(405, 'E_CALLBACK_METHOD', 'Callbacks are sent by POST.')
    try {
      const { eventType, sdkAppId, endedRoomId: roomId } = readCallback(body, config, clock.now())
      if (roomId === null) {
        log.debug({ eventType }, 'callback ignored')
        return { ...taken, isDue: false, outcome: 'ignored' }
      }
      const isDue = await inbox.receive({ roomId, sdkAppId, eventType, body })
      // Whoever repeats one, however often, fills no log.
      log[isDue ? 'info' : 'debug']({ roomId, isDue }, 'callback')
      return { ...taken, isDue, outcome: 'accepted' }
    } catch (error) {
      if (error instanceof CallbackError) {
        refusals.note(log, error.code, error.message)
        return refused(error.httpStatus, error.code, error.message)
      }
      if (error instanceof InboxFullError) {
        refusals.note(log, 'E_CALLBACK_INBOX', 'The database does not keep up with callbacks.')
        return refused(503, 'E_CALLBACK_INBOX', 'There are too many at once; call again.')
      }
      // What the pg package says of a connection that broke has no code.
      const unnamed = isConnectionProblem(error) ? 'E_DATABASE_UNREACHABLE' : 'E_UNEXPECTED'
      const { code = unnamed, message } = describeError(error)
      // What is not the database's doing is a mistake of this program: its place is wanted, too.
      refusals.note(log, code, message, isDatabaseTrouble(error) || isDataRefusal(error) ? undefined : error)
      return refused(503, 'E_CALLBACK_NOT_STORED', 'It cannot be stored now; call again.')
    }
  }
}

const taken = { status: 200, body: { error_code: 0 } } as const

function refused(status: CallbackAnswer['status'], code: string, error: string): CallbackAnswer {
  return { status, body: { error_code: status, error }, isDue: false, outcome: 'refused', code }
}

/** Refusals for one and the same reason are told once in so long: anybody can cause as many as they like. */
const TELL_EVERY_MS = 10_000

function createRefusalLog(clock: { now(): number }) {
  const told = new Map<string, { at: number; untold: number }>()
  return {
    note(log: Logger, code: string, reason: string, err?: unknown): void {
      const { at = Number.NEGATIVE_INFINITY, untold = 0 } = told.get(code) ?? {}
      if (Math.abs(clock.now() - at) < TELL_EVERY_MS) {
        told.set(code, { at, untold: untold + 1 })
        return
      }
      log[err === undefined ? 'warn' : 'error']({ code, reason, untold, err }, 'callback refused')
      told.set(code, { at: clock.now(), untold: 0 })
    },
  }
}
