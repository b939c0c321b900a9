import { describe, expect, test } from 'vitest'
import { type Fault, type FaultPlan, type FaultRequest, faultKinds, School, type Simulator } from '../../lib/simulator'
import { planned } from '../../lib/simulator/faults'
import { asId, codeOf, rawCall, sdkClient, withSimulator } from './client'

const members = (count: number) => Array.from({ length: count }, (_, index) => ({ UserId: `user-${index + 1}` }))

/** A room of ten, asked for in pages of four, with this fault in every answer. */
async function withFault(fault: Fault, test: (simulator: Simulator, roomId: number) => Promise<void>) {
  const school = new School()
  const { roomId } = school.addRoom({ members: members(10) })
  await withSimulator({ school, faults: () => fault }, (simulator) => test(simulator, asId(roomId)))
}

async function usersOn(simulator: Simulator, roomId: number, page: number, limit = 4) {
  const answer = await sdkClient(simulator).DescribeRoomStatistics({ RoomId: roomId, Page: page, Limit: limit })
  const numbers = (answer.MemberRecords ?? []).map((record) => Number(record.UserId?.replace('user-', '')))
  return { total: answer.Total, users: numbers }
}

describe('faults of the transport, as the SDK meets them', () => {
  test.each<[Fault, RegExp, object]>([
    [{ kind: 'reset' }, /ECONNRESET/, {}],
    [{ kind: 'truncate' }, /Premature close/, { code: 'ERR_STREAM_PREMATURE_CLOSE' }],
    [{ kind: 'html' }, /invalid json|Unexpected token/i, {}],
    [{ kind: 'not-json' }, /invalid json|JSON/i, {}],
    [{ kind: 'empty-json' }, /undefined/, {}],
    [{ kind: 'status', status: 503 }, /Service Unavailable/, { httpCode: 503 }],
    [{ kind: 'status', status: 403 }, /Forbidden/, { httpCode: 403 }],
  ])('%j', async (fault, message, properties) => {
    await withFault(fault, async (simulator, roomId) => {
      const error = await usersOn(simulator, roomId, 1).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(Error)
      expect((error as Error).message).toMatch(message)
      expect(error).toMatchObject(properties)
      // None of them can be taken for an answer of the API.
      expect((error as { requestId?: string }).requestId ?? '').toBe('')
      expect(simulator.requests).toMatchObject([{ outcome: fault.kind, fault: fault.kind }])
    })
  })

  test('an answer that never comes, until the simulator is closed', async () => {
    await withFault({ kind: 'hang' }, async (simulator, roomId) => {
      const call = usersOn(simulator, roomId, 1)
      const outcome = codeOf(call)
      await expect.poll(() => simulator.requests[0]?.outcome).toBe('hang')
      await simulator.close()
      expect(await outcome).toMatch(/socket hang up|ECONNRESET/)
    })
  })

  test('an answer that is given up on frees nothing but the client', async () => {
    await withFault({ kind: 'hang' }, async (simulator, roomId) => {
      const controller = new AbortController()
      const body = { RoomId: roomId, Page: 1, Limit: 4 }
      const call = sdkClient(simulator).request('DescribeRoomStatistics', body, { signal: controller.signal })
      const outcome = codeOf(call)
      await expect.poll(() => simulator.requests[0]?.outcome).toBe('hang')
      controller.abort()
      expect(await outcome).toMatch(/abort/)
      simulator.setFaults(undefined)
      expect((await usersOn(simulator, roomId, 1)).users).toHaveLength(4)
    })
  })

  test('a broken body whose length was announced: the SDK waits for the rest until its time-out', async () => {
    await withFault({ kind: 'truncate', framing: 'length' }, async (simulator, roomId) => {
      const client = sdkClient(simulator, simulator.credentials, 0.1)
      const request = { RoomId: roomId, Page: 1, Limit: 4 }
      expect(await codeOf(client.DescribeRoomStatistics(request))).toMatch(/timeout/)
      // Any other client sees that the connection is gone.
      await expect(rawCall(simulator, { body: `{"RoomId":${roomId},"Page":1,"Limit":4}` })).rejects.toThrow(/aborted/)
      expect(simulator.requests).toMatchObject([{ outcome: 'truncate' }, { outcome: 'truncate' }])
    })
  })

  test('an answer that comes late is right', async () => {
    await withFault({ kind: 'delay', ms: 5 }, async (simulator, roomId) => {
      expect(await usersOn(simulator, roomId, 1)).toEqual({ total: 10, users: [1, 2, 3, 4] })
      expect(simulator.requests).toMatchObject([{ outcome: 'OK', fault: 'delay', records: 4 }])
    })
  })
})

test('an error of the API has its code, its message and a RequestId', async () => {
  await withFault({ kind: 'error', code: 'InternalError.Db', message: 'broken' }, async (simulator, roomId) => {
    const error = await usersOn(simulator, roomId, 1).catch((reason: unknown) => reason)
    const { requestId } = simulator.requests[0] ?? {}
    expect(requestId).toBeDefined()
    expect(error).toHaveProperty('message', 'broken')
    expect(error).toMatchObject({ code: 'InternalError.Db', requestId })
    expect(simulator.requests).toMatchObject([{ outcome: 'InternalError.Db', fault: 'error' }])
  })
})

describe('faults of the data', () => {
  test('shift: a neighbour comes again, one is missed, Total agrees', async () => {
    await withFault({ kind: 'shift' }, async (simulator, roomId) => {
      expect(await usersOn(simulator, roomId, 1)).toEqual({ total: 10, users: [2, 3, 4, 5] })
      expect(await usersOn(simulator, roomId, 2)).toEqual({ total: 10, users: [4, 5, 6, 7] })
      expect(await usersOn(simulator, roomId, 3)).toEqual({ total: 10, users: [8, 9] })
      expect(await usersOn(simulator, roomId, 1, 1000)).toEqual({ total: 10, users: [2, 3, 4, 5, 6, 7, 8, 9, 10] })
      expect(await usersOn(simulator, roomId, 9)).toEqual({ total: 10, users: [] })
      expect(simulator.requests.map((entry) => entry.outcome)).toEqual(['shift', 'shift', 'shift', 'shift', 'OK'])
    })
  })

  test.each([
    [{ kind: 'total' }, 11],
    [{ kind: 'total', by: -1 }, 9],
  ] as [Fault, number][])('%j: Total is off, the records are right', async (fault, total) => {
    await withFault(fault, async (simulator, roomId) => {
      expect(await usersOn(simulator, roomId, 3)).toEqual({ total, users: [9, 10] })
      expect(simulator.requests).toMatchObject([{ outcome: 'total', records: 2 }])
    })
  })

  test('duplicate: a user stands in the place of another', async () => {
    await withFault({ kind: 'duplicate' }, async (simulator, roomId) => {
      expect(await usersOn(simulator, roomId, 2)).toEqual({ total: 10, users: [5, 6, 7, 5] })
      expect(await usersOn(simulator, roomId, 4, 3)).toEqual({ total: 10, users: [10] })
      expect(simulator.requests.map((entry) => entry.outcome)).toEqual(['duplicate', 'OK'])
    })
  })

  test('a spoilt page of a frozen room does not stay spoilt', async () => {
    const school = new School()
    const { roomId } = school.addRoom({ members: members(4), frozen: true })
    await withSimulator({ school, faults: () => ({ kind: 'duplicate' }) }, async (simulator) => {
      expect((await usersOn(simulator, asId(roomId), 1)).users).toEqual([1, 2, 3, 1])
      simulator.setFaults(undefined)
      expect((await usersOn(simulator, asId(roomId), 1)).users).toEqual([1, 2, 3, 4])
    })
  })

  test('GetRooms has pages too', async () => {
    const school = new School()
    for (const roomId of [1n, 2n, 3n]) school.addRoom({ roomId })
    await withSimulator({ school, faults: () => ({ kind: 'shift' }) }, async (simulator) => {
      const answer = await sdkClient(simulator).GetRooms({
        SdkAppId: school.sdkAppId,
        StartTime: 0,
        EndTime: 2e9,
        Limit: 2,
      })
      expect(answer.Rooms?.map((room) => room.RoomId)).toEqual([2, 3])
      expect(simulator.requests).toMatchObject([{ outcome: 'shift' }])
    })
  })
})

describe('a plan', () => {
  test('is asked about each request by room, page and sequence', async () => {
    const asked: FaultRequest[] = []
    const school = new School()
    const { roomId } = school.addRoom({ members: members(3) })
    const faults: FaultPlan = (request) => {
      asked.push(request)
      return request.page === 2 && request.sequence === 2 ? { kind: 'error', code: 'InternalError' } : undefined
    }
    await withSimulator({ school, faults }, async (simulator) => {
      const pageCode = (page: number) => codeOf(usersOn(simulator, asId(roomId), page, 2))
      expect([await pageCode(1), await pageCode(2), await pageCode(2)]).toEqual(['OK', 'InternalError', 'OK'])
      const action = 'DescribeRoomStatistics'
      expect(asked).toEqual([
        { action, roomId, page: 1, limit: 2, sequence: 1 },
        { action, roomId, page: 2, limit: 2, sequence: 2 },
        { action, roomId, page: 2, limit: 2, sequence: 3 },
      ])
    })
  })

  test('that throws ends in an InternalError, not in a crash', async () => {
    const school = new School()
    const faults = () => {
      throw new Error('the plan is broken')
    }
    await withSimulator({ school, faults }, async (simulator) => {
      await expect(sdkClient(simulator).GetRooms({ SdkAppId: 1 })).rejects.toMatchObject({
        code: 'InternalError',
        message: 'the plan is broken',
      })
    })
  })

  const drawn = (plan: FaultPlan, seed: number) =>
    Array.from({ length: 2000 }, (_, index) => planned(plan, { action: 'GetRooms', sequence: index + 1 }, seed))

  test('drawn from a seed is the same again, and another for another seed', () => {
    const plan = { rate: 0.3, kinds: faultKinds }
    expect(drawn(plan, 1)).toEqual(drawn(plan, 1))
    expect(drawn(plan, 1)).not.toEqual(drawn(plan, 2))
  })

  test('draws about its share, and every kind', () => {
    const faults = drawn({ rate: 0.3, kinds: faultKinds }, 7).filter((fault) => fault !== undefined)
    expect(faults.length).toBeGreaterThan(500)
    expect(faults.length).toBeLessThan(700)
    expect(new Set(faults.map((fault) => fault?.kind))).toEqual(new Set(faultKinds))
  })

  test('spares other actions, draws nothing at rate 0, all at rate 1', () => {
    const elsewhere = drawn({ rate: 1, kinds: ['reset'], actions: ['DescribeRoom'] }, 1)
    expect(elsewhere.every((fault) => fault === undefined)).toBe(true)
    expect(drawn({ rate: 0, kinds: ['reset'] }, 1).every((fault) => fault === undefined)).toBe(true)
    expect(drawn({ rate: 1, kinds: [] }, 1).every((fault) => fault === undefined)).toBe(true)
    const own: Fault = { kind: 'status', status: 418 }
    expect(drawn({ rate: 1, kinds: [own] }, 1).every((fault) => fault === own)).toBe(true)
  })
})
