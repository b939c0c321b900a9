import { expect, test } from 'vitest'
import { SourceError } from '../../lib/lcic/errors'
import { readBody, retryAfterMs } from '../../lib/lcic/response'

const megabyte = Buffer.alloc(1024 * 1024, 'x')

/** A response whose body comes in these chunks, and whether it was given up. */
function responseOf(chunks: Iterable<Buffer>) {
  const given = { up: false }
  const body = {
    async *[Symbol.asyncIterator]() {
      yield* chunks
    },
    destroy() {
      given.up = true
    },
  }
  const headers = { get: () => null }
  return { given, response: { status: 200, statusText: 'OK', headers, body, json: async () => undefined } }
}

function* megabytes(count: number, more: Buffer = Buffer.alloc(0)): Generator<Buffer> {
  for (let sent = 0; sent < count; sent++) yield megabyte
  yield more
}

test('64 MB are read, and not a byte more: then it is given up', async () => {
  const whole = responseOf(megabytes(64))
  expect(await readBody(whole.response)).toHaveLength(64 * megabyte.length)
  expect(whole.given.up).toBe(false)
  const larger = responseOf(megabytes(64, Buffer.from('x')))
  const failure = await readBody(larger.response).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(SourceError)
  expect(failure).toMatchObject({
    kind: 'transient',
    code: 'E_ANSWER_TOO_LARGE',
    message: `The answer is larger than ${64 * megabyte.length} bytes.`,
  })
  expect(larger.given.up).toBe(true)
})

test('a body that cannot be given up is none to wait for either', async () => {
  const { response } = responseOf(megabytes(65))
  const { destroy: _, ...body } = response.body
  await expect(readBody({ ...response, body })).rejects.toThrow('larger than')
})

test('a character that is cut by chunks is whole again, and bytes that are no UTF-8 are replaced', async () => {
  const bytes = Buffer.from('课')
  expect((await readBody(responseOf([bytes.subarray(0, 1), bytes.subarray(1)]).response)).toString()).toBe('课')
  expect((await readBody(responseOf([Buffer.from([0x61, 0xff])]).response)).equals(Buffer.from('a\u{FFFD}'))).toBe(true)
})

test.each([
  ['7', 7000],
  ['0.5', 500],
  ['60', 60_000],
  ['61', 60_000],
  ['0', undefined],
  ['-1', undefined],
  ['soon', undefined],
  ['', undefined],
  [null, undefined],
])('Retry-After %j means %j', (header, ms) => {
  const asked: string[] = []
  const get = (name: string) => {
    asked.push(name)
    return header
  }
  expect(retryAfterMs({ headers: { get } })).toBe(ms)
  expect(asked).toEqual(['retry-after'])
})
