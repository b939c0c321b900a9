import { describe, expect, test } from 'vitest'
import {
  readScenario,
  type Scenario,
  ScenarioError,
  School,
  schoolDay,
  schoolFromScenario,
  simulatorOptions,
  statusOf,
} from '../../lib/simulator'
import { codeOf, sdkClient, withSimulator } from './client'

const nowMs = Date.parse('2024-05-17T12:34:56Z')
const nowSeconds = nowMs / 1000

describe('readScenario', () => {
  test('fills in what is not said', () => {
    expect(readScenario('{"rooms": [{}]}')).toMatchObject({
      seed: 1,
      ordinaryRooms: 0,
      rooms: [{ members: 20, minutes: 45, endedMinutesAgo: 60, overrunMinutes: 0, fate: 'held', notReadyAnswers: 0 }],
    })
  })

  test.each([
    ['{', 'The scenario is not valid JSON'],
    ['[]', 'the whole: Invalid input: expected object'],
    ['{"roms": []}', 'Unrecognized key: "roms"; remove it or correct its spelling'],
    ['{"rooms": [{}, {"members": -1}]}', 'rooms[1].members: Too small'],
    ['{"rooms": [{"roomId": "x"}]}', 'rooms[0].roomId: Write a whole number from 1'],
    ['{"rooms": [{"fate": "lost"}]}', 'rooms[0].fate: Invalid option: expected one of "held"|"missing"|"expired"'],
    ['{"faults": {"rate": 2, "kinds": ["reset"]}}', 'faults.rate: Too big: expected number to be <=1'],
    ['{"faults": {"rate": 0.1, "kinds": ["boom"]}}', 'faults.kinds[0]: Invalid option: expected one of "reset"'],
    ['{"latencyMs": {"min": 9, "max": 1}}', 'latencyMs: Write the smaller number as min'],
    ['{"requestsPerSecond": "many"}', 'requestsPerSecond: Write a whole number, or one for each action'],
  ])('%s: %s', (text, message) => {
    expect(() => readScenario(text)).toThrow(ScenarioError)
    expect(() => readScenario(text)).toThrow(message)
  })
})

describe('schoolFromScenario', () => {
  test('puts described rooms where their times say', () => {
    const scenario: Scenario = {
      sdkAppId: 42,
      rooms: [
        { roomId: '9007199254740993', minutes: 60, endedMinutesAgo: 30, overrunMinutes: 10, readyAfterSeconds: 90 },
        { roomId: 5, fate: 'expired', listed: false, endedMinutesAgo: -10 },
      ],
    }
    const { rooms } = schoolFromScenario(scenario, nowMs)
    const scheduledEndAt = Math.floor(nowSeconds / 60) * 60 - 30 * 60
    expect(rooms.get(9007199254740993n)).toMatchObject({
      sdkAppId: 42,
      scheduledStartAt: scheduledEndAt - 3600,
      scheduledEndAt,
      realEndAt: scheduledEndAt + 600,
      readyAt: scheduledEndAt + 690,
    })
    expect(rooms.get(5n)).toMatchObject({ fate: 'expired', listed: false, realStartAt: null, realEndAt: null })
  })

  test('two rooms of one id are an error that names the place', () => {
    expect(() => schoolFromScenario({ rooms: [{ roomId: 5 }, { roomId: '5' }] }, nowMs)).toThrow(
      'rooms[1].roomId: there is a room 5 already',
    )
  })

  test.each([4, 24, 24 * 30])('all drawn rooms have ended by now and began within %d hours', (hours) => {
    const { rooms } = schoolFromScenario({ ordinaryRooms: 200, hours, readyAfterSeconds: 30 }, nowMs)
    expect(rooms.size).toBe(200)
    for (const room of rooms.values()) {
      expect(room.readyAt).toBeLessThanOrEqual(nowSeconds)
      expect(room.scheduledStartAt).toBeGreaterThanOrEqual(nowSeconds - hours * 3600 - 900)
    }
  })
})

test('simulatorOptions carries limits, latency and faults', () => {
  const scenario = readScenario(
    '{"seed": 9, "requestsPerSecond": {"GetRooms": 5}, "latencyMs": 3, "faults": {"rate": 0.5, "kinds": ["reset"]}}',
  )
  expect(simulatorOptions(scenario, nowMs)).toMatchObject({
    school: expect.any(School),
    seed: 9,
    requestsPerSecond: { GetRooms: 5 },
    latencyMs: 3,
    faults: { rate: 0.5, kinds: ['reset'] },
  })
})

describe('schoolDay', () => {
  const rooms = [...schoolFromScenario(schoolDay, nowMs).rooms.values()]

  test('has forty rooms and more, all over but the one that overruns', () => {
    expect(rooms.length).toBeGreaterThanOrEqual(40)
    const notOver = rooms.filter((room) => statusOf(room, nowSeconds) < 2)
    expect(notOver.map((room) => room.name)).toEqual(['Overruns, still in class'])
    for (const room of notOver) expect(room.scheduledEndAt).toBeLessThan(nowSeconds)
  })

  test('has one room each that is large, missing, expired, and not ready at first', () => {
    expect(rooms.filter((room) => room.members.length === 2500)).toHaveLength(1)
    expect(rooms.filter((room) => room.fate === 'missing')).toHaveLength(1)
    expect(rooms.filter((room) => room.fate === 'expired')).toHaveLength(1)
    expect(rooms.filter((room) => room.notReadyAnswers > 0)).toHaveLength(1)
  })

  test('is served as it is described', async () => {
    const options = simulatorOptions(schoolDay, Date.now())
    await withSimulator({ ...options, requestsPerSecond: 0 }, async (simulator) => {
      const client = sdkClient(simulator)
      const outcomes = new Map<string, number>()
      for (const roomId of simulator.school.rooms.keys()) {
        const code = await codeOf(client.DescribeRoomStatistics({ RoomId: Number(roomId), Page: 1, Limit: 10 }))
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
      }
      expect(Object.fromEntries(outcomes)).toEqual({
        OK: rooms.length - 4,
        'ResourceUnavailable.RoomStatistics': 1,
        'FailedOperation.RoomNotEnd': 1,
        'ResourceNotFound.Room': 1,
        'FailedOperation.ClassExpired': 1,
      })
    })
  })
})
