import type { Fault } from '../faults'
import type { Json } from '../lossless-json'
import type { School } from '../school'

/** What an action answers from. */
export interface ActionCall {
  school: School
  /** The parsed request body. */
  body: Json
  /** Unix seconds, fractional. */
  nowSeconds: number
  /** A fault of the data, if this answer shall have one. */
  fault?: Fault | undefined
  /** Whether GetRooms compares its window with scheduled or with real times; the API's documents leave it open. */
  roomsWindow: 'scheduled' | 'real'
  /** Whether all rooms count as frozen. */
  frozen: boolean
}

/** An action's answer: the fields of `Response`, encoded, without braces and RequestId. */
export interface ActionAnswer {
  parts: readonly (string | Buffer)[]
  /** How many records or rooms it lists. */
  records?: number
  /** Whether the call's fault changed it. */
  faulted?: boolean
}

/** Answers one call. Throws an ApiError for all that the API answers with an error. */
export type ActionHandler = (call: ActionCall) => ActionAnswer
