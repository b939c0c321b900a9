import jsonBigint from 'json-bigint'
import * as z from 'zod'
import { SourceError } from './errors'

/** Whole numbers that JavaScript would round come as strings of their digits. */
const json = jsonBigint({ storeAsString: true, protoAction: 'preserve', constructorAction: 'preserve' })
const answer = z.object({ Response: z.unknown() })

/** A JSON text, no digit lost. @throws whatever is wrong with it */
export function parseLossless(text: string): unknown {
  return json.parse(text)
}

/**
 * The `Response` of an answer's text, no digit lost.
 *
 * @throws {SourceError} `E_NOT_AN_API_ANSWER`, also for what `JSON.parse` would take: numbers beyond every double, lists
 *   within lists without end
 */
export function readLosslessResponse(text: string): unknown {
  try {
    return answer.parse(parseLossless(text)).Response
  } catch (cause) {
    throw new SourceError('transient', 'E_NOT_AN_API_ANSWER', 'The answer is not one of API 3.0.', { cause })
  }
}
