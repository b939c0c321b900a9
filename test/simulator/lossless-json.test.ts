import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeJson, parseJson } from '../../lib/simulator/lossless-json'

test('integers keep all their digits', () => {
  expect(parseJson('{"RoomId": 9007199254740993, "small": [1, -2.5e3], "text": "9007199254740993"}')).toEqual({
    RoomId: 9007199254740993n,
    small: [1, -2500],
    text: '9007199254740993',
  })
  expect(parseJson('-12345678901234567890')).toBe(-12345678901234567890n)
})

test('all other JSON is parsed as JSON.parse does', () => {
  const json = fc.jsonValue({ noUnicodeString: false })
  const digits = fc.constantFrom('1234567890123456', 'n1234567890123456', 's', '\\u0022', '"n1"')
  fc.assert(
    fc.property(json, digits, (value, text) => {
      // The digits stand in a string, a key and an escape; none of them is a number.
      const wrapped = { value, [text]: text, padding: '0000000000000000' }
      const encoded = JSON.stringify(wrapped)
      const parsed = parseJson(encoded)
      expect(JSON.stringify(parsed, (_, field) => (typeof field === 'bigint' ? Number(field) : field))).toBe(encoded)
    }),
  )
})

test('what is encoded is parsed to the same', () => {
  const tree = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.integer(),
      fc.bigInt({ min: 10n ** 16n, max: 2n ** 64n }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value
  fc.assert(
    fc.property(tree, (value) => {
      expect(parseJson(encodeJson(value))).toEqual(value)
    }),
  )
})

test.each(['', '{', '01', '{"a": 1234567890123456,}', '"1234567890123456'])('%j is no JSON', (text) => {
  expect(() => parseJson(text)).toThrow(SyntaxError)
})
