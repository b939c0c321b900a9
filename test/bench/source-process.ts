import { createLcic, PAGE_LIMIT } from '../../lib/lcic/client'
import { memberFields } from '../../lib/lcic/member-record'
import { School, type SimulatedRecord, startSimulator } from '../../lib/simulator'
import type { SchoolSize, Source, SourceState } from './steps'

/**
 * The source, in a process of its own: rooms behind HTTP, without a limit. Told a state, it answers once that is in the
 * rooms and each of their pages is encoded, so that no measured pull waits for an encoding.
 */
async function main({ rooms: count, members }: SchoolSize): Promise<void> {
  const school = new School()
  const rooms = Array.from({ length: count }, (_, index) => {
    const room = school.addRoom({ members, frozen: true })
    // Asked for once and kept: the states differ in their records only.
    const { members: drawn, figures } = room
    const documented = drawn.map(ofDocumentation)
    const isChanged = (at: number) => (index * members + at) % 100 === 7
    const states: Record<SourceState, SimulatedRecord[]> = {
      documented,
      changed: documented.map((record, at) => (isChanged(at) ? { ...record, HandUps: 99 } : record)),
      undocumented: drawn,
    }
    return { room, figures, states }
  })
  const { endpoint, credentials } = await startSimulator({ school, requestsPerSecond: 0 })
  const lcic = createLcic({ endpoint: new URL(endpoint), credentials: () => credentials })

  const encoded = new Set<SourceState>()
  async function become(state: SourceState): Promise<void> {
    for (const { room, figures, states } of rooms) Object.assign(room, { members: states[state], figures })
    if (encoded.has(state)) return
    encoded.add(state)
    for (const { room } of rooms) {
      for (let first = 0, page = 1; first < members; first += PAGE_LIMIT) {
        await lcic.describeRoomStatistics(room.roomId, page++)
      }
    }
  }

  process.on('message', async (state: SourceState) => {
    await become(state)
    process.send?.(state)
  })
  process.on('disconnect', () => process.exit())
  const source: Source = { endpoint, credentials, roomIds: rooms.map(({ room }) => String(room.roomId)), members }
  process.send?.(source)
}

/** Without the fields that the simulator invents for some records, as if the API had grown. */
function ofDocumentation(record: SimulatedRecord): SimulatedRecord {
  const known = Object.entries(record).filter(([name]) => name in memberFields)
  return { ...Object.fromEntries(known), UserId: record.UserId }
}

void main(JSON.parse(process.argv[2] ?? '{}'))
