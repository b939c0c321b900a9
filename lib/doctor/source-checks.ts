import { type Budget, OUT_OF_BUDGET, SlotMissedError } from '../archive/budget'
import type { Clock } from '../clock'
import type { Config } from '../config'
import type { Lcic, LcicAction, RequestOptions } from '../lcic/client'
import { mayConcernRoom, mendOf, SourceError } from '../lcic/errors'
import { roomStatus } from '../lcic/rooms'
import type { Check, Finding } from './check'
import { judgeClock } from './judge-clock'
import { type Probe, probe } from './probe'

export interface SourceToCheck {
  readonly config: Config
  readonly lcic: Lcic
  readonly clock: Clock
  /** The shared budget, if the database is there. */
  readonly budget: () => Budget | undefined
}

/** How long to wait for a slot that others have taken. */
const SLOT_MS = 5000

/** Rooms of so long ago are looked for. */
const LOOKBACK_S = 24 * 3600

/** Whether LCIC is there, knows the credentials, and lets them do what archiving needs. */
export function sourceChecks({ config, lcic, clock, budget }: SourceToCheck): Check[] {
  const { endpoint, credentials } = config.lcic
  let probed: (Probe & { readonly askedAt: number; readonly answeredAt: number }) | undefined
  /** A room of the account that has ended. */
  let endedRoom: bigint | undefined

  /** Sends one request, in a slot of the budget. */
  async function ask<Answer>(
    action: LcicAction,
    signal: AbortSignal,
    send: (options: RequestOptions) => Promise<Answer>,
  ) {
    for (;;) {
      const slot = await budget()?.take(action, { mostMs: SLOT_MS, signal })
      try {
        return await send({ signal, ...(slot && { beforeSend: slot.use }) })
      } catch (error) {
        if (error instanceof SlotMissedError) continue
        if (error instanceof SourceError && error.kind === 'throttled')
          await budget()?.pushBack(action, error.retryAfterMs ?? 0)
        throw error
      }
    }
  }

  const present: Check = {
    name: 'credentials',
    async look() {
      const { token } = credentials()
      return { status: 'pass', text: `present${token ? ', temporary ones with a session token' : ''}` }
    },
  }
  const api: Check = {
    name: 'api',
    async look(signal) {
      const askedAt = clock.now()
      const answer = await probe(endpoint, signal)
      probed = { ...answer, askedAt, answeredAt: clock.now() }
      const { tls } = answer
      if (!tls) return { status: 'pass', text: `${endpoint.host} answers, by plain HTTP on this machine` }
      if (tls.isVerified)
        return { status: 'pass', text: `${endpoint.host} answers, ${tls.protocol}, certificate verified` }
      return {
        status: 'fail',
        text: `${endpoint.host} answers, and nobody verifies its certificate`,
        mend: 'Unset NODE_TLS_REJECT_UNAUTHORIZED; a certificate authority of your own goes to NODE_EXTRA_CA_CERTS.',
      }
    },
  }
  const time: Check = {
    name: 'clock',
    needs: ['api'],
    async look() {
      const { date, askedAt = 0, answeredAt = 0 } = probed ?? {}
      return judgeClock({ date, askedAt, answeredAt })
    },
  }
  const access: Check = {
    name: 'access',
    needs: ['credentials', 'api', 'clock'],
    async look(signal) {
      // There need not be such a room: whoever LCIC does not know is told so before that.
      const refusal = await refusalOf(ask('DescribeRoom', signal, (options) => lcic.describeRoom(1n, options)))
      if (refusal?.code.startsWith('UnauthorizedOperation'))
        return {
          status: 'warn',
          text: 'LCIC knows the credentials, and lets them not describe rooms: who teaches them is not archived',
          mend: mendOf(refusal.code),
        }
      return { status: 'pass', text: 'LCIC accepts the credentials' }
    },
  }
  const apps = config.sdkAppIds.map(
    (sdkAppId): Check => ({
      name: `app ${sdkAppId}`,
      needs: ['access'],
      async look(signal) {
        const to = Math.ceil(clock.now() / 1000)
        const window = { sdkAppId, from: to - LOOKBACK_S, to }
        const { rooms, total } = await ask('GetRooms', signal, (options) => lcic.getRooms(window, 1, options))
        endedRoom ??= rooms.find(({ status }) => status === roomStatus.ended)?.roomId
        return { status: 'pass', text: `LCIC lists its rooms: ${total} in the last 24 hours` }
      },
    }),
  )
  const noApps: Check = {
    name: 'apps',
    async look() {
      return {
        status: 'warn',
        text: 'none to sweep: rooms are archived only if a callback or a command names them',
        mend: 'Set LCIC_SDK_APP_IDS, for example 1400000001.',
      }
    },
  }
  const statistics: Check = {
    name: 'statistics',
    needs: ['access'],
    async look(signal) {
      const roomId = endedRoom ?? 1n
      const refusal = await refusalOf(
        ask('DescribeRoomStatistics', signal, (options) => lcic.describeRoomStatistics(roomId, 1, options)),
      )
      if (!refusal?.code.startsWith('UnauthorizedOperation'))
        return { status: 'pass', text: 'LCIC lets the credentials read statistics' }
      return {
        // Of a room that is not theirs that may be the right answer.
        status: endedRoom === undefined ? 'warn' : 'fail',
        text: `LCIC does not let the credentials read statistics of room ${roomId}: ${refusal.code}`,
        mend: mendOf(refusal.code),
      }
    },
  }
  return [present, api, time, access, ...(apps.length > 0 ? apps : [noApps]), statistics].map(forgivingThrottling)
}

/**
 * What LCIC said instead of an answer, if it said something about the room or the rights that were asked for.
 *
 * @throws {SourceError} anything else: LCIC cannot be asked, or not by these credentials
 */
async function refusalOf(answer: Promise<unknown>): Promise<SourceError | undefined> {
  try {
    await answer
    return undefined
  } catch (error) {
    if (!(error instanceof SourceError)) throw error
    const { kind, code, requestId } = error
    // Nobody has documented what LCIC says of a room that is somebody else's.
    const isUnknown = kind === 'unknown' && requestId !== undefined
    const isOfRoom = isUnknown || ['gone', 'expired', 'not_ended', 'not_ready'].includes(kind)
    const isOfRights = code.startsWith('UnauthorizedOperation')
    const isOfParameters = kind === 'configuration' && mayConcernRoom(code) && mendOf(code, '') === ''
    if (isOfRoom || isOfRights || isOfParameters) return error
    throw error
  }
}

/** Whoever is told to slow down is known, and has been asked too often by others: nothing is broken. */
function forgivingThrottling(check: Check): Check {
  return {
    ...check,
    look: (signal) =>
      check.look(signal).catch((error: unknown): Finding => {
        if (!(error instanceof SourceError) || error.kind !== 'throttled') throw error
        const text =
          error.code === OUT_OF_BUDGET
            ? `not asked: others use the whole budget for the next ${SLOT_MS / 1000} s`
            : 'not known: LCIC is asked too often already'
        return { status: 'warn', text, mend: 'Try again when less is going on, or lower LCIC_REQUESTS_PER_SECOND.' }
      }),
  }
}
