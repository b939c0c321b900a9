import type { ActionHandler } from './actions/action'
import { describeRoom } from './actions/describe-room'
import { describeRoomStatistics } from './actions/describe-room-statistics'
import { getRooms } from './actions/get-rooms'
import { ApiError } from './api-error'
import { authenticate, type SimulatorCredentials } from './authentication'
import { type Action, type Fault, type FaultPlan, planned } from './faults'
import { type SlidingSecond, slidingSecond } from './limiter'
import type { Json } from './lossless-json'
import { noteParameters, type ReceivedRequest, readAction, readJson } from './request-form'
import type { RequestLogEntry } from './request-log'
import type { School } from './school'

/** What a gateway answers from. */
export interface GatewayOptions {
  school: School
  seed: number
  credentials: SimulatorCredentials
  /** The school's time. */
  clock: { now(): number }
  /** The time that signatures are compared with. */
  gatewayClock: { now(): number }
  limits: Record<Action, number>
  roomsWindow: 'scheduled' | 'real'
  frozen: boolean
}

/** What to send: the encoded answer, and what shall happen to it on its way. */
export interface Reply {
  body: readonly (string | Buffer)[]
  /** A fault of the transport. */
  fault?: Fault
}

/** The API behind its HTTP server: judges a whole request and notes in its log entry how it went. Never throws. */
export interface Gateway {
  faults: FaultPlan | undefined
  answer(request: ReceivedRequest, entry: RequestLogEntry): Reply
}

/** The API of one school. Limits and the plan of faults are its own, so that two gateways do not know each other. */
export function createGateway(options: GatewayOptions): Gateway {
  const limiters: Record<Action, SlidingSecond> = {
    DescribeRoomStatistics: slidingSecond(options.limits.DescribeRoomStatistics),
    GetRooms: slidingSecond(options.limits.GetRooms),
    DescribeRoom: slidingSecond(options.limits.DescribeRoom),
  }
  const gateway: Gateway = {
    faults: undefined,
    answer(request, entry) {
      try {
        return respond(request, entry)
      } catch (error) {
        return errorReply(asApiError(error), entry)
      }
    },
  }
  return gateway

  /** In the order of the real gateway: form, authentication, limit, and only then the action's own parameters. */
  function respond(request: ReceivedRequest, entry: RequestLogEntry): Reply {
    const action = readAction(request)
    if (request.body === undefined) throw new ApiError('RequestSizeLimitExceeded', 'The request is larger than 1 MB.')
    // A body that is no JSON is an error only once the sender is known and within the limit.
    const body = readJson(request.body)
    if (!(body instanceof ApiError)) noteParameters(body, entry)
    authenticate({ ...request, body: request.body }, options.credentials, options.gatewayClock.now())
    const reached = limiters[action].admit(entry.arrivedAtMs)
    if (reached !== undefined) throw limitExceeded(reached, options.limits[action])

    const { roomId, page, limit, sequence } = entry
    const fault = planned(gateway.faults, { action, roomId, page, limit, sequence }, options.seed)
    if (fault && preempts(fault)) return answerInPlace(fault, entry)
    if (body instanceof ApiError) throw body
    return perform(action, body, fault, entry)
  }

  function perform(action: Action, body: Json, fault: Fault | undefined, entry: RequestLogEntry): Reply {
    const { school, roomsWindow, frozen } = options
    const nowSeconds = options.clock.now() / 1000
    const onTheWay = fault?.kind === 'truncate' || fault?.kind === 'delay' ? fault : undefined
    if (onTheWay) entry.fault = onTheWay.kind
    let reply: Reply
    try {
      const answer = actions[action]({ school, body, nowSeconds, fault, roomsWindow, frozen })
      if (answer.records !== undefined) entry.records = answer.records
      if (fault && answer.faulted) entry.fault = fault.kind
      entry.outcome = fault && answer.faulted ? fault.kind : 'OK'
      reply = { body: ['{"Response":{', ...answer.parts, `,"RequestId":"${entry.requestId}"}}`] }
    } catch (error) {
      reply = errorReply(asApiError(error), entry)
    }
    // A late answer is still the right one; a broken one is not.
    if (fault?.kind === 'truncate') entry.outcome = fault.kind
    return onTheWay ? { ...reply, fault: onTheWay } : reply
  }
}

const actions: Record<Action, ActionHandler> = {
  DescribeRoomStatistics: describeRoomStatistics,
  GetRooms: getRooms,
  DescribeRoom: describeRoom,
}

/** Faults that need no right answer to spoil: the action is never asked. */
function preempts(fault: Fault): boolean {
  return ['reset', 'hang', 'html', 'not-json', 'empty-json', 'status', 'error'].includes(fault.kind)
}

function answerInPlace(fault: Fault, entry: RequestLogEntry): Reply {
  entry.fault = fault.kind
  if (fault.kind === 'error') return errorReply(new ApiError(fault.code, fault.message ?? 'A planned fault.'), entry)
  entry.outcome = fault.kind
  return { body: [], fault }
}

function limitExceeded(reached: number, limit: number): ApiError {
  return new ApiError(
    'RequestLimitExceeded',
    `Your current request times equals to \`${reached}\` in a second, which exceeds the frequency limit \`${limit}\` for a second. Please reduce the frequency of calls.`,
  )
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  return new ApiError('InternalError', error instanceof Error ? error.message : 'An internal error has occurred.')
}

function errorReply(error: ApiError, entry: RequestLogEntry): Reply {
  entry.outcome = error.code
  const { code: Code, message: Message } = error
  return { body: [JSON.stringify({ Response: { Error: { Code, Message }, RequestId: entry.requestId } })] }
}
