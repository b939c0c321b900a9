import * as z from 'zod'
import { SourceError } from './errors'
import { endOfString } from './redact-json'

const answer = z.object({ Response: z.unknown() })

/**
 * A JSON text, no digit lost: whole numbers of so many digits that JavaScript would round them come as strings of their
 * digits, all else as `JSON.parse` reads it.
 *
 * @throws {SyntaxError}
 */
export function parseLossless(text: string): unknown {
  const asItIs: unknown = JSON.parse(text)
  // Stryker disable next-line Regex: it saves looking for long numbers where there are none.
  return /\d{16}/.test(text) ? JSON.parse(withLongNumbersQuoted(text)) : asItIs
}

/** Whole numbers from 16 digits on: of fractions and exponents none is a part. */
const longNumber = /(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g

/** The text is JSON, hence no quote stands outside a string, and no number outside has one. */
function withLongNumbersQuoted(text: string): string {
  const parts: string[] = []
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at)
    const start = quote === -1 ? text.length : quote
    const end = endOfString(text, start)
    parts.push(text.slice(at, start).replace(longNumber, '"$&"'), text.slice(start, end))
    at = end
  }
  return parts.join('')
}

/**
 * The `Response` of an answer's text, no digit lost.
 *
 * @throws {SourceError} `E_NOT_AN_API_ANSWER`
 */
export function readLosslessResponse(text: string): unknown {
  try {
    return answer.parse(parseLossless(text)).Response
  } catch (cause) {
    throw new SourceError('transient', 'E_NOT_AN_API_ANSWER', 'The answer is not one of API 3.0.', { cause })
  }
}
