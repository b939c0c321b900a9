import { ApiError } from './api-error'
import type { SignedParts } from './authentication'
import type { Action } from './faults'
import { type Json, parseJson } from './lossless-json'
import type { RequestLogEntry } from './request-log'

/** A request as the server received it. */
export interface ReceivedRequest extends Omit<SignedParts, 'body'> {
  /** undefined if it was too large to be kept. */
  body: Uint8Array | undefined
}

/**
 * What is asked for, once the method, the path and the headers are as they must be.
 *
 * @throws ApiError UnsupportedProtocol, MissingParameter, NoSuchVersion, InvalidAction and their like.
 */
export function readAction({ method, path, headers }: ReceivedRequest): Action {
  if (method !== 'POST') throw new ApiError('UnsupportedProtocol', `The method ${method} is not supported; use POST.`)
  if (path !== '/') throw new ApiError('InvalidParameter', `There is nothing at ${path}; the API is at /.`)
  const header = (name: string) => {
    const value = headers[`x-tc-${name.toLowerCase()}`]
    if (typeof value === 'string' && value !== '') return value
    throw new ApiError('MissingParameter', `The request is missing a required parameter \`${name}\`.`)
  }
  const action = header('Action')
  const version = header('Version')
  const timestamp = header('Timestamp')
  if (!headers.authorization) {
    throw new ApiError('MissingParameter', 'The request is missing a required parameter `Authorization`.')
  }
  if (version !== apiVersion) {
    throw new ApiError('NoSuchVersion', `The version \`${version}\` does not exist; this API's is \`${apiVersion}\`.`)
  }
  if (!isAction(action))
    throw new ApiError('InvalidAction', `The action \`${action}\` does not exist or is not known here.`)
  if (!/^\d{1,11}$/.test(timestamp)) {
    throw new ApiError('InvalidParameterValue', 'The value of `Timestamp` must be a time in Unix seconds.')
  }
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new ApiError('UnsupportedProtocol', 'The content type must be application/json.')
  }
  return action
}

/** The parsed body, or the error to answer with once the sender is known. */
export function readJson(body: Uint8Array): Json | ApiError {
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return new ApiError('InvalidParameter', 'The request body is not valid JSON.')
  }
}

/** What the log and fault plans show; whether it is valid is the action's business. */
export function noteParameters(body: Json, entry: RequestLogEntry): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return
  const { RoomId, Page, Limit } = body
  if (typeof RoomId === 'bigint' || (typeof RoomId === 'number' && Number.isInteger(RoomId))) {
    entry.roomId = BigInt(RoomId)
  }
  if (typeof Page === 'number') entry.page = Page
  if (typeof Limit === 'number') entry.limit = Limit
}

const apiVersion = '2022-08-17'

const actionNames: readonly string[] = ['DescribeRoomStatistics', 'GetRooms', 'DescribeRoom'] satisfies Action[]

function isAction(name: string): name is Action {
  return actionNames.includes(name)
}
