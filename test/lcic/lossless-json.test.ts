import { expect, test } from 'vitest'
import { SourceError } from '../../lib/lcic/errors'
import { parseLossless, readLosslessResponse } from '../../lib/lcic/lossless-json'

test.each([
  ['9007199254740993', '9007199254740993'],
  ['-9007199254740993', '-9007199254740993'],
  ['1234567890123456', '1234567890123456'],
  ['123456789012345', 123456789012345],
  [' 1234567890123456 ', '1234567890123456'],
  ['[1234567890123456,-1234567890123457]', ['1234567890123456', '-1234567890123457']],
  ['{"a":1234567890123456,"b":{"c":1234567890123457}}', { a: '1234567890123456', b: { c: '1234567890123457' } }],
  // Of these JavaScript reads what can be read.
  ['[0.1234567890123456,1234567890123456.5]', [0.1234567890123456, 1234567890123456.5]],
  ['[1e0000000000000002,1E-0000000000000002,1e+0000000000000002]', [100, 0.01, 100]],
  ['[1234567890123456e2,1234567890123456E2]', [123456789012345600, 123456789012345600]],
  // What stands in a string is none.
  [
    '["1234567890123456","a:1234567890123456,",1234567890123456]',
    ['1234567890123456', 'a:1234567890123456,', '1234567890123456'],
  ],
  ['{"1234567890123456":"\\",1234567890123456"}', { '1234567890123456': '",1234567890123456' }],
  ['{"a\\\\":1234567890123456}', { 'a\\': '1234567890123456' }],
  ['[1,"x",2.5,null,true]', [1, 'x', 2.5, null, true]],
])('%s is read, no digit lost', (text, value) => {
  expect(parseLossless(text)).toEqual(value)
})

test.each(['', '{', '[1234567890123456', '"1234567890123456', '01234567890123456', '[1234567890123456,]'])(
  '%j is no JSON',
  (text) => {
    expect(() => parseLossless(text)).toThrow(SyntaxError)
  },
)

test('an answer gives its Response; what is none is told as such, with its cause', () => {
  expect(readLosslessResponse('{"Response":{"Id":1234567890123456},"Other":1}')).toEqual({ Id: '1234567890123456' })
  for (const text of ['7', '{', '[]', 'null']) {
    try {
      readLosslessResponse(text)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(SourceError)
      expect(error).toMatchObject({
        kind: 'transient',
        code: 'E_NOT_AN_API_ANSWER',
        message: 'The answer is not one of API 3.0.',
        cause: expect.any(Error),
      })
    }
  }
})
