import fc from 'fast-check'
import { expect } from 'vitest'
import { SourceError } from '../../lib/lcic/errors'
import { parseLossless, readLosslessResponse } from '../../lib/lcic/lossless-json'
import { parseJson } from '../../lib/simulator/lossless-json'
import { always } from '../support/fuzz'
import { objectText, stringText, valueText } from '../support/json-text'

/** As another reader understands it: whole numbers of 16 digits and more are read whole. */
function wanted(text: string): unknown {
  return JSON.parse(JSON.stringify(parseJson(text), (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
}

always(
  'a JSON text is read as by JSON.parse, but for long whole numbers, which are their digits',
  [valueText],
  (text) => {
    expect(JSON.parse(JSON.stringify(parseLossless(text)))).toEqual(wanted(text))
  },
  { cases: 1000 },
)

always(
  'what JSON.parse refuses is refused',
  [
    fc.oneof(fc.string(), valueText),
    fc.nat(),
    fc.constantFrom('', ',', '"', '}', ']', '0', '-', '\\', '\n', '\0', 'e'),
  ],
  (text, place, put) => {
    const at = place % (text.length + 1)
    const broken = text.slice(0, at) + put + text.slice(at + 1)
    let isJson = true
    try {
      JSON.parse(broken)
    } catch {
      isJson = false
    }
    if (!isJson) expect(() => parseLossless(broken)).toThrow()
    else expect(JSON.parse(JSON.stringify(parseLossless(broken)))).toEqual(wanted(broken))
  },
  { cases: 1000 },
)

always(
  'an answer gives its Response, or a SourceError',
  [
    fc.oneof(
      fc.string(),
      valueText,
      objectText(fc.array(fc.tuple(fc.oneof(fc.constant('"Response"'), stringText), valueText), { maxLength: 3 })),
    ),
  ],
  (text) => {
    try {
      expect(readLosslessResponse(text)).toEqual(Reflect.get(Object(parseLossless(text)), 'Response'))
    } catch (error) {
      expect(error).toBeInstanceOf(SourceError)
      expect(error).toMatchObject({ kind: 'transient', code: 'E_NOT_AN_API_ANSWER' })
    }
  },
  { cases: 1000 },
)
