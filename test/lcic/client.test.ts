import dns, { type LookupAddress } from 'node:dns'
import { getEventListeners, once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLcic, type Lcic } from '../../lib/lcic/client'
import { SourceError } from '../../lib/lcic/errors'
import { type Fault, School, type Simulator, startSimulator } from '../../lib/simulator'

let simulator: Simulator
let lcic: Lcic
let credentials: { secretId: string; secretKey: string; token?: string }
beforeEach(async () => {
  simulator = await startSimulator({ school: new School(), requestsPerSecond: 0 })
  const { secretId, secretKey } = simulator.credentials
  credentials = { secretId, secretKey }
  lcic = createLcic({ endpoint: new URL(simulator.endpoint), region: 'ap-guangzhou', credentials: () => credentials })
})
afterEach(async () => {
  lcic.close()
  await simulator.close()
})

async function failureOf(promise: Promise<unknown>): Promise<SourceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(SourceError)
  return error as SourceError
}

test('a page comes with its text, figures and RequestId', async () => {
  const room = simulator.school.addRoom({ members: 3 })
  const page = await lcic.describeRoomStatistics(room.roomId, 1)
  const { Response } = JSON.parse(page.body.toString())
  expect(page).toMatchObject({ requestId: Response.RequestId, recordCount: 3 })
  expect(page.figures).toMatchObject({ Total: 3, RealEndTime: room.realEndAt, extra: {} })
  expect(Response.MemberRecords).toEqual(room.members)
})

/** A client of a server that answers any request so. */
async function answering(text: string) {
  const server = createServer((_, response) => response.end(text))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = createLcic({ endpoint: new URL(`http://127.0.0.1:${port}`), credentials: () => credentials })
  const close = () => {
    client.close()
    server.close()
  }
  return { client, close }
}

/** A server that answers any request, and tells of connections. */
async function countConnections() {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((_, response) =>
    response.end('{"Response":{"RequestId":"r","Total":0,"MemberRecords":[]}}'),
  )
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = createLcic({ endpoint: new URL(`http://127.0.0.1:${port}`), credentials: () => credentials })
  return {
    client,
    count: () => connections,
    open: () => sockets.size,
    async cutAll() {
      const closed = [...sockets].map((socket) => once(socket, 'close'))
      for (const socket of sockets) socket.destroy()
      await Promise.all(closed)
    },
    close() {
      client.close()
      server.close()
    },
  }
}

test('one connection serves many requests, and one more is kept to spare', async () => {
  const { client, count, close } = await countConnections()
  for (let request = 0; request < 5; request++) await client.describeRoomStatistics(1n, 1)
  close()
  expect(count()).toBe(2)
})

test('once prepared, a request leaves on a connection that is there already', async () => {
  const { client, count, close } = await countConnections()
  await client.prepare()
  await vi.waitFor(() => expect(count()).toBe(1))
  await client.prepare()
  await client.describeRoomStatistics(1n, 1)
  expect(count()).toBeLessThanOrEqual(2)
  await vi.waitFor(() => expect(count()).toBe(2))
  close()
})

test('a spare connection that the server closes is not used, and not missed', async () => {
  const { client, cutAll, count, close } = await countConnections()
  await client.prepare()
  await vi.waitFor(() => expect(count()).toBe(1))
  await cutAll()
  await new Promise(setImmediate)
  await client.describeRoomStatistics(1n, 1)
  close()
})

test('a spare connection is closed after ten seconds, and none is opened once the client is closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const { client, count, open, close } = await countConnections()
    await client.prepare()
    await vi.waitFor(() => expect(count()).toBe(1), { interval: 1 })
    vi.advanceTimersByTime(9999)
    await client.prepare()
    expect(count()).toBe(1)
    vi.advanceTimersByTime(1)
    vi.useRealTimers()
    await vi.waitFor(() => expect(open()).toBe(0))
    close()
    await client.prepare()
    expect(count()).toBe(1)
  } finally {
    vi.useRealTimers()
  }
})

test('HTTP 408 is worth another try', async () => {
  simulator.setFaults(() => ({ kind: 'status', status: 408 }))
  expect(await failureOf(lcic.describeRoomStatistics(1n, 1))).toMatchObject({ kind: 'transient', code: 'E_HTTP_408' })
})

test('what is thrown as a request is about to leave keeps it here', async () => {
  const reason = new Error('not now')
  const beforeSend = () => {
    throw reason
  }
  await expect(lcic.describeRoomStatistics(1n, 1, { beforeSend })).rejects.toBe(reason)
  expect(simulator.requests).toEqual([])
})

test('the content hash leaves the RequestId out, and nothing else', async () => {
  const room = simulator.school.addRoom({ members: 3 })
  const first = await lcic.describeRoomStatistics(room.roomId, 1)
  const second = await lcic.describeRoomStatistics(room.roomId, 1)
  expect(second.requestId).not.toBe(first.requestId)
  expect(second.contentHash).toBe(first.contentHash)
  const [member] = room.members
  if (member) member.HandUps = 1234
  expect((await lcic.describeRoomStatistics(room.roomId, 1)).contentHash).not.toBe(first.contentHash)
})

describe('every failure is one typed error, with its kind and RequestId', () => {
  test('an error of the API', async () => {
    const failure = await failureOf(lcic.describeRoomStatistics(404n, 1))
    expect(failure).toMatchObject({
      kind: 'gone',
      code: 'ResourceNotFound.Room',
      requestId: simulator.requests[0]?.requestId,
    })
  })

  test('a refused key, with nothing of the key in the error', async () => {
    credentials = { ...credentials, secretKey: 'hunter2-secret-key' }
    const failure = await failureOf(lcic.describeRoomStatistics(1n, 1))
    expect(failure).toMatchObject({ kind: 'configuration', code: 'AuthFailure.SignatureFailure' })
    expect(`${failure.stack} ${JSON.stringify(failure)} ${failure.cause}`).not.toContain('hunter2')
  })

  test.each([
    [{ kind: 'status', status: 500 }, 'transient', 'E_HTTP_500'],
    [{ kind: 'status', status: 429 }, 'throttled', 'E_HTTP_429'],
    [{ kind: 'status', status: 403 }, 'unknown', 'E_HTTP_403'],
    [{ kind: 'reset' }, 'transient', 'E_NETWORK'],
    [{ kind: 'truncate' }, 'transient', 'E_NETWORK'],
    [{ kind: 'truncate', framing: 'length' }, 'transient', 'E_TIMEOUT'],
    [{ kind: 'hang' }, 'transient', 'E_TIMEOUT'],
    [{ kind: 'html' }, 'transient', 'E_NOT_AN_API_ANSWER'],
    [{ kind: 'not-json' }, 'transient', 'E_NOT_AN_API_ANSWER'],
    [{ kind: 'empty-json' }, 'transient', 'E_NOT_AN_API_ANSWER'],
  ] as const)('%o', async (fault, kind, code) => {
    const room = simulator.school.addRoom({ members: 3 })
    simulator.setFaults(() => fault)
    expect(await failureOf(lcic.describeRoomStatistics(room.roomId, 1, { timeoutMs: 200 }))).toMatchObject({
      kind,
      code,
      cause: expect.any(Error),
    })
    // The connection pool survives it.
    simulator.setFaults(undefined)
    expect(await lcic.describeRoomStatistics(room.roomId, 1)).toMatchObject({ recordCount: 3 })
  })

  test('each says what is wrong', async () => {
    const room = simulator.school.addRoom({ members: 3 })
    const messageOf = async (fault: Fault) => {
      simulator.setFaults(() => fault)
      return (await failureOf(lcic.describeRoomStatistics(room.roomId, 1, { timeoutMs: 200 }))).message
    }
    expect(await messageOf({ kind: 'status', status: 503 })).toBe('LCIC answered HTTP 503.')
    expect(await messageOf({ kind: 'hang' })).toBe('LCIC did not answer in time.')
    expect(await messageOf({ kind: 'html' })).toBe('The answer is not one of API 3.0.')
    expect(await messageOf({ kind: 'reset' })).toMatch(
      /^LCIC could not be reached \((?!request to)[^)]+\); check LCIC_ENDPOINT and the network\.$/,
    )
  })

  test('an answer whose error is of odd types is no API answer; LCIC is not out of reach', async () => {
    for (const error of ['{"Code":7,"Message":"a"}', '{"Message":"a"}', '{"Code":{},"Message":[]}', '7']) {
      const { client, close } = await answering(`{"Response":{"Error":${error},"RequestId":"r"}}`)
      const failure = await failureOf(client.describeRoomStatistics(1n, 1))
      close()
      expect(failure).toMatchObject({ kind: 'transient', code: 'E_NOT_AN_API_ANSWER', requestId: 'r' })
    }
    const odd = await answering('{"Response":{"Error":{"Code":"InternalError","Message":[]},"RequestId":{}}}')
    const failure = await failureOf(odd.client.describeRoomStatistics(1n, 1))
    odd.close()
    expect(failure).toMatchObject({ kind: 'transient', code: 'InternalError', requestId: undefined })
  })

  test('an answer without end is given up', async () => {
    const { client, close } = await answering('x'.repeat(65 * 1024 * 1024))
    const failure = await failureOf(client.describeRoomStatistics(1n, 1))
    close()
    expect(failure).toMatchObject({ kind: 'transient', code: 'E_ANSWER_TOO_LARGE' })
  })

  test('an empty RequestId is none', async () => {
    const { client, close } = await answering(
      '{"Response":{"Error":{"Code":"InternalError","Message":"a"},"RequestId":""}}',
    )
    const failure = await failureOf(client.describeRoomStatistics(1n, 1))
    close()
    expect(failure).toMatchObject({ code: 'InternalError', requestId: undefined })
  })

  test('nobody listens', async () => {
    const room = simulator.school.addRoom({ members: 3 })
    await simulator.close()
    const failure = await failureOf(lcic.describeRoomStatistics(room.roomId, 1))
    expect(failure).toMatchObject({ kind: 'transient', code: 'E_NETWORK', cause: expect.any(Error) })
    expect(failure.message).toMatch(
      /^LCIC could not be reached \(connect ECONNREFUSED 127\.0\.0\.1:\d+\); check LCIC_ENDPOINT and the network\.$/,
    )
  })

  test('nobody listens on any of the addresses of a host: Node names no reason', async () => {
    const addresses: LookupAddress[] = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }))
    const lookup = (_host: string, _options: unknown, done: (error: null, found: LookupAddress[]) => void) =>
      done(null, addresses)
    const spy = vi.spyOn(dns, 'lookup').mockImplementation(lookup as unknown as typeof dns.lookup)
    const { port } = new URL(simulator.endpoint)
    await simulator.close()
    const client = createLcic({ endpoint: new URL(`http://lcic.invalid:${port}`), credentials: () => credentials })
    const failure = await failureOf(client.describeRoomStatistics(1n, 1))
    spy.mockRestore()
    client.close()
    expect(failure.message).toBe('LCIC could not be reached (no connection); check LCIC_ENDPOINT and the network.')
  })
})

test('of a request nothing stays with the signal that might have ended it', async () => {
  const room = simulator.school.addRoom({ members: 3 })
  const { signal } = new AbortController()
  await lcic.describeRoomStatistics(room.roomId, 1, { signal })
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('no credentials is no network error', async () => {
  const none = createLcic({
    endpoint: new URL(simulator.endpoint),
    credentials: () => {
      throw new Error('none')
    },
  })
  await expect(none.describeRoomStatistics(1n, 1)).rejects.toThrow('none')
  expect(simulator.requests).toHaveLength(0)
})

test('an abort ends a request at once, with the reason given', async () => {
  const room = simulator.school.addRoom({ members: 3 })
  simulator.setFaults(() => ({ kind: 'hang' }))
  const controller = new AbortController()
  const asked = lcic.describeRoomStatistics(room.roomId, 1, { signal: controller.signal })
  const reason = new Error('enough')
  setImmediate(() => controller.abort(reason))
  await expect(asked).rejects.toBe(reason)
})

test('credentials are read at each request', async () => {
  const room = simulator.school.addRoom({ members: 3 })
  await lcic.describeRoomStatistics(room.roomId, 1)
  credentials = { ...credentials, secretKey: 'rotated' }
  expect(await failureOf(lcic.describeRoomStatistics(room.roomId, 1))).toMatchObject({
    code: 'AuthFailure.SignatureFailure',
  })
})

test('region and token travel with a request where there are any, and only then', async () => {
  const page = '{"Response":{"RequestId":"r","Total":0,"MemberRecords":[]}}'
  const seen: IncomingHttpHeaders[] = []
  const server = createServer(({ headers }, response) => {
    seen.push(headers)
    response.end(page)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const clients = [{ region: 'ap-guangzhou' }, {}].map((region) =>
    createLcic({ endpoint, ...region, credentials: () => credentials }),
  )
  for (const client of clients) await client.describeRoomStatistics(1n, 1)
  credentials = { ...credentials, token: 'a token' }
  for (const client of clients) await client.describeRoomStatistics(1n, 1)
  for (const client of clients) client.close()
  server.close()
  expect(seen.map((headers) => [headers['x-tc-region'], headers['x-tc-token']])).toEqual([
    ['ap-guangzhou', undefined],
    [undefined, undefined],
    ['ap-guangzhou', 'a token'],
    [undefined, 'a token'],
  ])
})

test('the budget is one per action, endpoint, region and account; instances of a role share one', () => {
  const permanent = lcic.budgetOf('DescribeRoomStatistics')
  expect(permanent).toMatch(/^DescribeRoomStatistics 127\.0\.0\.1:\d+ ap-guangzhou [0-9a-f]{12}$/)
  credentials = { secretId: 'other', secretKey: 'b' }
  expect(lcic.budgetOf('DescribeRoomStatistics')).not.toBe(permanent)
  credentials = { secretId: 'temporary-1', secretKey: 'b', token: 't' }
  const role = lcic.budgetOf('DescribeRoomStatistics')
  credentials = { secretId: 'temporary-2', secretKey: 'b', token: 'u' }
  expect(lcic.budgetOf('DescribeRoomStatistics')).toBe(role)
  expect(role).toMatch(/^DescribeRoomStatistics 127\.0\.0\.1:\d+ ap-guangzhou role$/)
  const endpoint = new URL('https://lcic.tencentcloudapi.com')
  const anywhere = createLcic({ endpoint, credentials: () => credentials })
  expect(anywhere.budgetOf('GetRooms')).toBe('GetRooms lcic.tencentcloudapi.com - role')
  anywhere.close()
})
