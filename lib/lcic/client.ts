import { createHash } from 'node:crypto'
import type { Agent as HttpAgent } from 'node:http'
import { v20220817 } from 'tencentcloud-sdk-nodejs/tencentcloud/services/lcic/v20220817'
import { linkedController } from '../abort'
import type { LcicConfig } from '../config'
import { ArchiveError } from '../errors'
import { createConnections } from './connections'
import { kindOfCode, SourceError } from './errors'
import { type HttpResponse, readBody, retryAfterMs } from './response'
import { type RoomDescription, type RoomsPage, readRoomDescription, readRoomsPage } from './rooms'
import { readStatisticsPage, type StatisticsPage } from './statistics'

/** The most member records a page may hold. Source: DescribeRoomStatistics, `Limit`. */
export const PAGE_LIMIT = 1000

/** The most rooms a page may hold. Source: GetRooms, `Limit`. */
export const ROOMS_LIMIT = 100

/** Which rooms GetRooms is asked for: those of an app whose time touches a window. Unix seconds. */
export interface RoomsWindow {
  readonly sdkAppId: bigint
  readonly from: number
  readonly to: number
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds until the request is given up, connection and body included. */
  readonly timeoutMs?: number | undefined
  /** Called once the request is signed, as it is about to leave. What it throws keeps it here, and is thrown on. */
  readonly beforeSend?: () => void
}

/** Tencent Cloud LCIC, as far as the archive asks it. Every method sends exactly one request. */
export interface Lcic {
  /**
   * One page of a room's statistics.
   *
   * @param page from 1, each of up to {@link PAGE_LIMIT} records
   * @throws {SourceError} whatever went wrong with the request, with its kind and RequestId
   * @throws {UsageError} where there are no credentials
   * @throws the signal's reason, once aborted
   */
  describeRoomStatistics(roomId: bigint, page: number, options?: RequestOptions): Promise<StatisticsPage>
  /**
   * One page of the rooms of a window, whatever their status. Whether the window is compared with planned or with real
   * times is not documented.
   *
   * @param page from 1, each of up to {@link ROOMS_LIMIT} rooms
   * @throws as {@link Lcic.describeRoomStatistics} does
   */
  getRooms(window: RoomsWindow, page: number, options?: RequestOptions): Promise<RoomsPage>
  /** What is planned for a room. @throws as {@link Lcic.describeRoomStatistics} does */
  describeRoom(roomId: bigint, options?: RequestOptions): Promise<RoomDescription>
  /** Does all there is to a request but sending it, and connects, so that the next one leaves as quickly as any. */
  prepare(): Promise<void>
  /** Whose budget a request of this action counts against: the API counts by action, region and account. */
  budgetOf(action: LcicAction): string
  /** Closes idle connections. */
  close(): void
}

export type LcicAction = 'DescribeRoomStatistics' | 'GetRooms' | 'DescribeRoom'

/** The official SDK's client, with connections kept alive, a deadline on every request, and one kind of error. */
export function createLcic({ endpoint, region, credentials }: LcicConfig): Lcic {
  const { agent, rehearsal, close } = createConnections(endpoint.protocol)

  /** @param connectionFor is asked when there is nothing left to do for a request but send it */
  function createClient(connectionFor: () => HttpAgent) {
    const client = new v20220817.Client({
      // Asked anew for each request, because the credentials of a role change.
      credential: {
        async getCredential() {
          const { secretId, secretKey, token } = credentials()
          return { secretId, secretKey, ...(token && { token }) }
        },
      },
      // Stryker disable next-line ConditionalExpression: the SDK takes a region that is undefined for none.
      ...(region !== undefined && { region }),
      profile: {
        httpProfile: {
          protocol: `${endpoint.protocol}//`,
          endpoint: endpoint.host,
          reqTimeout: 3600,
          // The SDK's types know no agent that is a function; node-fetch, which it hands this to, does.
          agent: connectionFor as unknown as HttpAgent,
        },
      },
    })
    keepBodies(client)
    return client
  }

  async function request(
    action: LcicAction,
    parameters: object,
    { signal, timeoutMs = 30_000, beforeSend, isRehearsal }: RequestOptions & { isRehearsal?: boolean },
  ): Promise<Answer> {
    // The SDK would take missing credentials for a network error.
    credentials()
    const deadline = linkedController(signal)
    const timer = setTimeout(() => deadline.abort(), timeoutMs)
    let kept: { readonly error: unknown } | undefined
    const client = createClient(() => {
      try {
        beforeSend?.()
      } catch (error) {
        kept = { error }
        throw error
      }
      return isRehearsal ? rehearsal : agent
    })
    try {
      return await client.request(action, parameters, { signal: deadline.signal })
    } catch (error) {
      signal?.throwIfAborted()
      throw kept ? kept.error : toSourceError(error, deadline.signal.aborted)
    } finally {
      clearTimeout(timer)
      deadline.unlink()
    }
  }

  return {
    async describeRoomStatistics(roomId, page, options = {}) {
      // The SDK's types say number, its serialiser takes bigint: ids above 2^53 stay whole.
      const parameters = { RoomId: roomId, Page: page, Limit: PAGE_LIMIT }
      const answer = await request('DescribeRoomStatistics', parameters, options)
      return readStatisticsPage(answer)
    },
    async getRooms({ sdkAppId, from, to }, page, options = {}) {
      // Without a window the API takes half an hour around now.
      const parameters = { SdkAppId: sdkAppId, StartTime: from, EndTime: to, Page: page, Limit: ROOMS_LIMIT }
      return readRoomsPage(await request('GetRooms', parameters, options), sdkAppId)
    },
    async describeRoom(roomId, options = {}) {
      return readRoomDescription(await request('DescribeRoom', { RoomId: roomId }, options))
    },
    async prepare() {
      // Stryker disable next-line StringLiteral,ObjectLiteral: nobody gets to see what is not sent.
      await request('DescribeRoom', { RoomId: 1n }, { isRehearsal: true }).catch(() => undefined)
    },
    budgetOf(action) {
      const { secretId, token } = credentials()
      // Temporary credentials of one role differ between instances, yet count against the same account.
      const account = token ? 'role' : createHash('sha256').update(secretId).digest('hex').slice(0, 12)
      return [action, endpoint.host, region ?? '-', account].join(' ')
    },
    close,
  }
}

/** An API answer: its `Response`, and the text it was read from, in UTF-8: as a string it would take twice the memory. */
export interface Answer {
  readonly body: Buffer
  readonly response: unknown
}

/**
 * Makes the SDK's client hand out the answer's text beside the parsed `Response`. The SDK offers no way to it, and
 * serialising what it parsed would lose what JavaScript's numbers cannot hold; its own reading of errors stays in use.
 */
function keepBodies(client: object): void {
  const parse: unknown = Reflect.get(client, 'parseResponse')
  // Stryker disable next-line ConditionalExpression,StringLiteral: the SDK has it in the one version that is installed.
  if (typeof parse !== 'function') throw new TypeError('tencentcloud-sdk-nodejs no longer has parseResponse.')
  Reflect.set(client, 'parseResponse', async (response: HttpResponse): Promise<Answer> => {
    const body = await readBody(response)
    try {
      const parsed: unknown = await parse.call(client, {
        status: response.status,
        statusText: response.statusText,
        headers: response.headers,
        json: async () => JSON.parse(body.toString('utf8')),
      })
      return { body, response: parsed }
    } catch (error) {
      const seen = { isAnswered: true, retryAfterMs: retryAfterMs(response) }
      throw error instanceof Error ? Object.assign(error, seen) : error
    }
  })
}

/** Every failure the SDK can throw, as one typed error. */
function toSourceError(error: unknown, timedOut: boolean): ArchiveError {
  if (error instanceof ArchiveError) return error
  if (timedOut) return new SourceError('transient', 'E_TIMEOUT', 'LCIC did not answer in time.', { cause: error })
  const thrown: SdkFailure = error instanceof Error ? error : new Error(String(error))
  // The SDK takes whatever stands in an answer.
  const requestId = typeof thrown.requestId === 'string' && thrown.requestId !== '' ? thrown.requestId : undefined
  const details = { cause: error, requestId, retryAfterMs: thrown.retryAfterMs }
  if (typeof thrown.code === 'string' && thrown.requestId !== undefined) {
    return new SourceError(kindOfCode(thrown.code), thrown.code, thrown.message, details)
  }
  if (thrown.httpCode !== undefined) {
    const kind =
      thrown.httpCode === 429
        ? 'throttled'
        : thrown.httpCode === 408 || thrown.httpCode >= 500
          ? 'transient'
          : 'unknown'
    return new SourceError(kind, `E_HTTP_${thrown.httpCode}`, `LCIC answered HTTP ${thrown.httpCode}.`, details)
  }
  if (thrown.isAnswered) {
    return new SourceError('transient', 'E_NOT_AN_API_ANSWER', 'The answer is not one of API 3.0.', details)
  }
  // Where a host has several addresses Node gives no reason.
  const reason = thrown.message.split('reason: ').pop() || 'no connection'
  return new SourceError(
    'transient',
    'E_NETWORK',
    `LCIC could not be reached (${reason}); check LCIC_ENDPOINT and the network.`,
    details,
  )
}

interface SdkFailure extends Error {
  code?: unknown
  requestId?: unknown
  httpCode?: number
  retryAfterMs?: number | undefined
  /** There was an answer, whatever it was. */
  isAnswered?: boolean
}
