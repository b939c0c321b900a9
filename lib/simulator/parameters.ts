import { ApiError } from './api-error'
import type { Json } from './lossless-json'

/** Reads an action's parameters as strictly as the API does. Every method throws an {@link ApiError}. */
export interface Parameters {
  /** A required unsigned 64-bit integer. */
  uint64(name: string): bigint
  /** An integer within bounds; required unless there is a fallback. */
  integer(name: string, bounds: { min: number; max: number; fallback?: number }): number
  /** An optional list of unsigned integers. */
  integers(name: string): number[]
}

/**
 * @param body the parsed request body
 * @param known the action's parameters; any other is refused
 * @throws ApiError InvalidParameter, UnknownParameter
 */
export function readParameters(body: Json, known: readonly string[]): Parameters {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiError('InvalidParameter', 'The request body is not a JSON object.')
  }
  for (const name of Object.keys(body)) {
    if (!known.includes(name)) throw new ApiError('UnknownParameter', `The parameter \`${name}\` is not recognized.`)
  }
  const given = new Map(Object.entries(body).filter(([, value]) => value !== null))

  return {
    uint64(name) {
      const value = required(name)
      if (!isUint64(value)) throw wrongType(name, 'an unsigned integer')
      return BigInt(value)
    },
    integer(name, { min, max, fallback }) {
      const value = fallback === undefined || given.has(name) ? required(name) : fallback
      if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isInteger(value))) {
        throw wrongType(name, 'an integer')
      }
      if (value < min || value > max) {
        throw new ApiError('InvalidParameterValue', `The value of \`${name}\` must be from ${min} to ${max}.`)
      }
      return Number(value)
    },
    integers(name) {
      const value = given.get(name) ?? []
      if (!Array.isArray(value) || !value.every(isUint64)) throw wrongType(name, 'a list of unsigned integers')
      return value.map(Number)
    },
  }

  function required(name: string): Json {
    const value = given.get(name)
    if (value === undefined) {
      throw new ApiError('MissingParameter', `The request is missing a required parameter \`${name}\`.`)
    }
    return value
  }
}

const mostUint64 = 2n ** 64n - 1n

function isUint64(value: Json): value is number | bigint {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0
  return typeof value === 'bigint' && value >= 0n && value <= mostUint64
}

function wrongType(name: string, expected: string): ApiError {
  return new ApiError('InvalidParameter', `The parameter \`${name}\` must be ${expected}.`)
}
