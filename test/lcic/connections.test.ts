import { once } from 'node:events'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Connections, createConnections } from '../../lib/lcic/connections'

let server: Server
let port: number
let accepted: Socket[]
let connections: Connections
beforeEach(async () => {
  accepted = []
  server = createServer((socket) => {
    accepted.push(socket)
    socket.on('error', () => undefined)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  port = (server.address() as AddressInfo).port
  connections = createConnections('http:')
})
afterEach(() => {
  connections.close()
  for (const socket of accepted) socket.destroy()
  server.close()
})

/** @returns what the rehearsal ends with */
async function rehearse({ rehearsal }: Connections = connections): Promise<unknown> {
  let resolve: (error: unknown) => void = () => undefined
  const promise = new Promise<unknown>((settle) => {
    resolve = settle
  })
  const none = rehearsal.createConnection({ host: '127.0.0.1', port }, resolve)
  expect(none).toBeUndefined()
  return promise
}

/** Connections that the server has seen so far, those that are on their way included. */
async function countConnections(): Promise<number> {
  const probe = connect(port, '127.0.0.1')
  await once(probe, 'connect')
  // A socket that is destroyed has none any more.
  const { localPort } = probe
  await vi.waitFor(() => expect(accepted.some(({ remotePort }) => remotePort === localPort)).toBe(true))
  probe.destroy()
  accepted = accepted.filter(({ remotePort }) => remotePort !== localPort)
  return accepted.length
}

test('https is spoken but where http is asked for', () => {
  expect(connections.agent).toBeInstanceOf(HttpAgent)
  expect(connections.agent).not.toBeInstanceOf(HttpsAgent)
  expect(createConnections('https:').agent).toBeInstanceOf(HttpsAgent)
})

test('a rehearsal fails, says so, and leaves one connection to spare, however many there are', async () => {
  expect(await rehearse()).toEqual(new Error('This was a rehearsal.'))
  await rehearse()
  expect(await countConnections()).toBe(1)
})

test('who rehearses without waiting for the end has a connection to spare, too', async () => {
  connections.rehearsal.createConnection({ host: '127.0.0.1', port })
  expect(await countConnections()).toBe(1)
})

test('once closed there is none to spare, and none is opened any more', async () => {
  await rehearse()
  await vi.waitFor(() => expect(accepted).toHaveLength(1))
  const ended = once(accepted[0] as Socket, 'close')
  connections.close()
  await ended
  await rehearse()
  expect(await countConnections()).toBe(1)
})

test('the spare connection is what the next request takes, and another one is opened for the one after', async () => {
  await rehearse()
  expect(await countConnections()).toBe(1)
  const taken = connections.agent.createConnection({ host: '127.0.0.1', port }) as Socket
  expect(taken.localPort).toBe(accepted[0]?.remotePort)
  await vi.waitFor(() => expect(accepted).toHaveLength(2))
  // The end of the one that is taken is nothing to the other.
  taken.destroy()
  await once(taken, 'close')
  const next = connections.agent.createConnection({ host: '127.0.0.1', port }) as Socket
  expect(next.localPort).toBe(accepted[1]?.remotePort)
  next.destroy()
})

test('a spare connection that nobody answers ends nothing, and is not kept', async () => {
  server.close()
  await once(server, 'close')
  await rehearse()
  await new Promise((resolve) => setImmediate(resolve))
  server = createServer((socket) => {
    accepted.push(socket)
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  await vi.waitFor(async () => {
    await rehearse()
    expect(await countConnections()).toBe(1)
  })
})
