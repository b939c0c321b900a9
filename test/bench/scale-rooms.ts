import type pg from 'pg'
import { createLcic } from '../../lib/lcic/client'
import { memberFields } from '../../lib/lcic/member-record'
import { School, type SimulatedRecord, startSimulator } from '../../lib/simulator'
import { randomFrom } from '../../lib/simulator/random'
import { type Archive, type ArchiveCost, archiveRooms } from './archive-cost'
import type { Source } from './steps'

/** What is done in each round to both archives. */
export const steps = ['new rooms of 30', 'new rooms of 1,000', 'rooms of 30 read again, unchanged'] as const
export type ScaleStep = (typeof steps)[number]

/** The rooms that the product archives. */
export interface ScaleRooms {
  /** Archives those that are read again later, by ids from this one on. */
  archiveMiddle(archive: Archive, firstId: bigint): Promise<void>
  /** Makes those of all rounds, by ids from this one on. */
  addNew(firstId: bigint): Promise<void>
  /** What each step finds in a round. */
  of(round: number): Readonly<Record<ScaleStep, Source>>
  close(): Promise<void>
}

const SMALL = { rooms: 200, members: 30 }
const LARGE = { rooms: 20, members: 1000 }

/** Rooms behind HTTP, without a limit, whose students are those of the school: their ids lie all over its indexes. */
export async function scaleRooms({ students, rounds }: { students: number; rounds: number }): Promise<ScaleRooms> {
  const school = new School()
  const { endpoint, credentials, close } = await startSimulator({ school, requestsPerSecond: 0 })
  const lcic = createLcic({ endpoint: new URL(endpoint), credentials: () => credentials })
  let middle: Source | undefined
  const added: Record<'small' | 'large', Source>[] = []
  async function add({ rooms, members }: typeof SMALL, firstId: bigint): Promise<Source> {
    const roomIds = Array.from({ length: rooms }, (_, index) => firstId + BigInt(index))
    for (const roomId of roomIds) {
      const room = school.addRoom({ roomId, members, frozen: true })
      room.members = ofSchool(room.members, { students, seed: Number(roomId) })
      // Encoded now and kept, so that nobody waits for that who is measured.
      await lcic.describeRoomStatistics(roomId, 1)
    }
    return { endpoint, credentials, roomIds: roomIds.map(String), members }
  }
  return {
    async archiveMiddle(archive, firstId) {
      middle = await add(SMALL, firstId)
      await archiveRooms(archive, middle)
    },
    async addNew(firstId) {
      for (let round = 0, id = firstId; round < rounds; round++) {
        const small = await add(SMALL, id)
        const large = await add(LARGE, id + BigInt(SMALL.rooms))
        added.push({ small, large })
        id += BigInt(SMALL.rooms + LARGE.rooms)
      }
    },
    of(round) {
      const sources = added[round]
      if (!sources || !middle) throw new Error(`There are no rooms of round ${round}.`)
      return {
        'new rooms of 30': sources.small,
        'new rooms of 1,000': sources.large,
        'rooms of 30 read again, unchanged': middle,
      }
    },
    async close() {
      lcic.close()
      await close()
    },
  }
}

/** The same records, without fields that are not documented, of students of the school. */
function ofSchool(
  records: readonly SimulatedRecord[],
  { students, seed }: { students: number; seed: number },
): SimulatedRecord[] {
  const random = randomFrom('school', seed)
  const first = random.int(0, students - 1)
  // A prime, so that nobody comes twice.
  const stride = 7919
  return records.map((record, index) => {
    const known = Object.entries(record).filter(([name]) => name in memberFields)
    const number = (first + index * stride) % Math.max(students, 5003)
    const UserId = (record.Role ?? 0) === 0 ? `stu-${String(number).padStart(6, '0')}` : record.UserId
    return { ...Object.fromEntries(known), UserId }
  })
}

interface Comparison {
  readonly large: Archive
  readonly empty: Archive
  readonly source: ScaleRooms
  readonly rounds: number
  readonly progress: (line: string) => void
  readonly reset: (admin: pg.Client) => Promise<void>
}

export type ArchivingCosts = Readonly<Record<ScaleStep, Readonly<Record<'large' | 'empty', readonly ArchiveCost[]>>>>

/**
 * Does the same to both archives by turns, so that other work on the machine weighs on them alike. There is one checkpoint, at
 * the beginning: until the end of five rounds there come as many members as rooms of 30 have in three and a half minutes at
 * the API's full rate.
 */
export async function compareArchiving(comparison: Comparison): Promise<ArchivingCosts> {
  const { large, empty, source, rounds, progress, reset } = comparison
  const costs: Record<ScaleStep, Record<'large' | 'empty', ArchiveCost[]>> = {
    'new rooms of 30': { large: [], empty: [] },
    'new rooms of 1,000': { large: [], empty: [] },
    'rooms of 30 read again, unchanged': { large: [], empty: [] },
  }
  await large.admin.query('checkpoint')
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`)
    await reset(empty.admin)
    const sources = source.of(round)
    for (const step of steps) {
      const isRead = step === 'rooms of 30 read again, unchanged'
      for (const name of round % 2 === 0 ? (['large', 'empty'] as const) : (['empty', 'large'] as const)) {
        const rooms = isRead && name === 'empty' ? sources['new rooms of 30'] : sources[step]
        const cost = await archiveRooms(name === 'large' ? large : empty, rooms)
        if ((cost.written ?? 0) !== (isRead ? 0 : rooms.roomIds.length * rooms.members))
          throw new Error(`${step}, ${name}: ${cost.written} rows were written`)
        costs[step][name].push(cost)
      }
    }
  }
  return costs
}
