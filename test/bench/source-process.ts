import { createLcic, PAGE_LIMIT } from '../../lib/lcic/client'
import { memberFields } from '../../lib/lcic/member-record'
import { School, type SimulatedRecord, startSimulator } from '../../lib/simulator'
import type { Source, SourceState } from './steps'

/**
 * The source, in a process of its own: one room behind HTTP, without a limit. Told a state, it answers once the room is in
 * it and each of its pages is encoded, so that no measured pull waits for an encoding.
 */
async function main(members: number): Promise<void> {
  const school = new School()
  const room = school.addRoom({ members, frozen: true })
  // Asked for once and kept: the states differ in their records only.
  const { members: drawn, figures } = room
  const documented = drawn.map(ofDocumentation)
  const states: Record<SourceState, SimulatedRecord[]> = {
    documented,
    changed: documented.map((record, index) => (index % 100 === 7 ? { ...record, HandUps: 99 } : record)),
    undocumented: drawn,
  }
  const { endpoint, credentials } = await startSimulator({ school, requestsPerSecond: 0 })
  const lcic = createLcic({ endpoint: new URL(endpoint), credentials: () => credentials })

  const encoded = new Set<SourceState>()
  async function become(state: SourceState): Promise<void> {
    Object.assign(room, { members: states[state], figures })
    if (encoded.has(state)) return
    encoded.add(state)
    for (let first = 0, page = 1; first < members; first += PAGE_LIMIT) {
      await lcic.describeRoomStatistics(room.roomId, page++)
    }
  }

  process.on('message', async (state: SourceState) => {
    await become(state)
    process.send?.(state)
  })
  process.on('disconnect', () => process.exit())
  const source: Source = { endpoint, credentials, roomId: String(room.roomId) }
  process.send?.(source)
}

/** Without the fields that the simulator invents for some records, as if the API had grown. */
function ofDocumentation(record: SimulatedRecord): SimulatedRecord {
  const known = Object.entries(record).filter(([name]) => name in memberFields)
  return { ...Object.fromEntries(known), UserId: record.UserId }
}

void main(Number(process.argv[2]))
