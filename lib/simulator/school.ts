import { figuresOf } from './figures'
import type { SimulatedRecord } from './member-record'
import { generateMembers } from './members'
import type { RoomFigures, SimulatedRoom } from './room'

/** The app of a school that names none. */
export const defaultSdkAppId = 1400_000_001

/** What a room may be told about itself; all else follows from that. */
export interface RoomDescription extends Partial<Omit<SimulatedRoom, 'members' | 'figures'>> {
  /** The records, or how many to draw. */
  members?: SimulatedRecord[] | number
  /** Figures to give in place of those that the members imply. */
  figures?: Partial<RoomFigures>
}

/** What a school takes for granted of its rooms. */
export interface SchoolOptions {
  /** The app that rooms belong to unless they say otherwise. */
  sdkAppId?: number
  /** When it is, in milliseconds: a room without times of its own ended half an hour before. The machine's time by default. */
  nowMs?: number
}

/** The rooms that the simulator knows. Shared with the test, which adds and changes rooms while the simulator runs. */
export class School {
  readonly rooms = new Map<bigint, SimulatedRoom>()
  readonly sdkAppId: number
  readonly #nowSeconds: number
  #nextRoomId = 300_000_001n

  constructor(options: SchoolOptions = {}) {
    this.sdkAppId = options.sdkAppId ?? defaultSdkAppId
    this.#nowSeconds = Math.floor((options.nowMs ?? Date.now()) / 1000)
  }

  /**
   * Adds a room, by default one that was held for 45 minutes, ended half an hour ago, and is ready. Members given as a
   * number are drawn, from the room's id, when they are first asked for.
   *
   * @throws RangeError if there is a room of that id already.
   */
  addRoom(description: RoomDescription = {}): SimulatedRoom {
    const { members = 0, figures, ...told } = description
    const roomId = told.roomId ?? this.#freeRoomId()
    if (this.rooms.has(roomId)) throw new RangeError(`There is a room ${roomId} already; choose another roomId`)

    const scheduledEndAt =
      told.scheduledEndAt ?? (told.scheduledStartAt ?? this.#nowSeconds - halfHour - classLength) + classLength
    const scheduledStartAt = told.scheduledStartAt ?? scheduledEndAt - classLength
    const held = told.fate !== 'expired'
    const realStartAt = told.realStartAt !== undefined ? told.realStartAt : held ? scheduledStartAt : null
    const realEndAt = told.realEndAt !== undefined ? told.realEndAt : held ? scheduledEndAt : null
    const room = {
      sdkAppId: this.sdkAppId,
      name: `Class ${roomId}`,
      teacherId: 'teacher-001',
      assistants: [],
      roomType: 0,
      readyAt: realEndAt ?? 0,
      fate: 'held' as const,
      notReadyAnswers: 0,
      listed: true,
      frozen: false,
      ...told,
      roomId,
      scheduledStartAt,
      scheduledEndAt,
      realStartAt,
      realEndAt,
    }
    const withMembers = lazily(room, 'members', () => {
      if (typeof members !== 'number') return members
      return generateMembers({
        seed: Number(roomId % 2_147_483_647n),
        count: members,
        startAt: realStartAt ?? scheduledStartAt,
        endAt: realEndAt ?? scheduledEndAt,
        teacherId: room.teacherId,
        assistantIds: room.assistants,
      })
    })
    const whole = lazily(withMembers, 'figures', () => ({ ...figuresOf(withMembers.members), ...figures }))
    this.rooms.set(roomId, whole)
    return whole
  }

  #freeRoomId(): bigint {
    while (this.rooms.has(this.#nextRoomId)) this.#nextRoomId += 1n
    return this.#nextRoomId
  }
}

const classLength = 45 * 60
const halfHour = 30 * 60

/** Gives `target` a property that is made when first read: a large school costs nothing until it is asked about. */
function lazily<T extends object, K extends string, V>(target: T, key: K, make: () => V): T & Record<K, V> {
  const settle = (value: V) =>
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
  Object.defineProperty(target, key, {
    enumerable: true,
    configurable: true,
    get() {
      const value = make()
      settle(value)
      return value
    },
    set: settle,
  })
  return target as T & Record<K, V>
}
