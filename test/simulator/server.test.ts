import { Agent, request } from 'node:http'
import { expect, test } from 'vitest'
import { generateSchool, requestIdOf, School, startSimulator } from '../../lib/simulator'
import { codeOf, rawCall, sdkClient, withSimulator } from './client'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('answers as the API does: JSON, a date, a RequestId, the trace it was sent', async () => {
  const at = Date.now() + 60_000
  await withSimulator({ school: new School(), clock: { now: () => at } }, async (simulator) => {
    const answer = await rawCall(simulator, { headers: { 'x-tc-traceid': 'trace-1' }, body: '{"RoomId":1}' })
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      date: new Date(at).toUTCString(),
      'x-tc-traceid': 'trace-1',
    })
    const { Response } = JSON.parse(answer.text)
    expect(Response.RequestId).toMatch(uuid)
    expect(Response.RequestId).toBe(simulator.requests[0]?.requestId)
  })
})

test('the same seed gives the same answers, byte for byte', async () => {
  const answersOf = async (seed: number) => {
    const texts: string[] = []
    const school = generateSchool({ seed, rooms: 4, from: Date.parse('2024-05-17T00:00:00Z'), sizes: [30] })
    await withSimulator({ school, seed }, async (simulator) => {
      for (const roomId of school.rooms.keys()) {
        texts.push((await rawCall(simulator, { body: `{"RoomId":${roomId},"Page":1,"Limit":1000}` })).text)
      }
    })
    return texts
  }
  const first = await answersOf(5)
  expect(first.join()).toContain('"Total":30')
  expect(await answersOf(5)).toEqual(first)
  expect(await answersOf(6)).not.toEqual(first)
})

test('request ids are UUIDs and do not repeat', () => {
  const ids = Array.from({ length: 5000 }, (_, index) => requestIdOf(1, index + 1))
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.every((id) => uuid.test(id))).toBe(true)
})

test('the log holds each request in order of arrival, on a clock of the day', async () => {
  const before = Date.now() - 1
  await withSimulator({ school: new School() }, async (simulator) => {
    const client = sdkClient(simulator)
    await Promise.all(Array.from({ length: 10 }, () => codeOf(client.GetRooms({ SdkAppId: 1 }))))
    const arrivals = simulator.requests.map((entry) => entry.arrivedAtMs)
    expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b))
    expect(simulator.requests.map((entry) => entry.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(Math.min(...arrivals)).toBeGreaterThan(before)
    expect(Math.max(...arrivals)).toBeLessThan(Date.now() + 1)
  })
})

test('latency holds every answer back', async () => {
  await withSimulator({ school: new School(), latencyMs: { min: 20, max: 30 } }, async (simulator) => {
    const startedAt = performance.now()
    await sdkClient(simulator).GetRooms({ SdkAppId: 1 })
    expect(performance.now() - startedAt).toBeGreaterThan(18)
  })
})

test('close ends at once, whatever is open: idle, hanging and late connections', async () => {
  const simulator = await startSimulator({ school: new School(), latencyMs: 60_000 })
  const agent = new Agent({ keepAlive: true })
  const late = codeOf(sdkClient(simulator).GetRooms({ SdkAppId: 1 }))
  const halfSent = new Promise<string>((resolve) => {
    const outgoing = request({ port: simulator.port, host: '127.0.0.1', agent, method: 'POST' })
    outgoing.on('error', (error) => resolve(error.message))
    outgoing.write('{')
  })
  await expect.poll(() => simulator.requests.length).toBe(2)
  await simulator.close()
  expect(await late).toMatch(/socket hang up|ECONNRESET/)
  expect(await halfSent).toMatch(/socket hang up|ECONNRESET/)
  agent.destroy()
})

test('a port that is taken is an error', async () => {
  await withSimulator({ school: new School() }, async ({ port }) => {
    await expect(startSimulator({ school: new School(), port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

test('connections are kept alive', async () => {
  await withSimulator({ school: new School() }, async (simulator) => {
    const answer = await rawCall(simulator, { headers: { connection: 'keep-alive' } })
    expect(answer.headers.connection).toBe('keep-alive')
  })
})
