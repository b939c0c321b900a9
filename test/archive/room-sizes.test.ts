import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestArchive, type TestArchive } from '../support/archive'
import { postgresVersions } from '../support/database'
import { expectTruth } from '../support/truth'

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  let archive: TestArchive
  beforeAll(async () => {
    archive = await openTestArchive({ version, frozen: true })
  })
  afterAll(() => archive.close())

  test.each([0, 1, 1000, 1001, 2500, ...(version === 18 ? [100_000] : [])])(
    'a room of %i members: every column equals the source',
    async (members) => {
      const room = archive.school.addRoom({ members })
      const report = await archive.archive(room.roomId)
      expect(report).toMatchObject({ outcome: 'archived', state: 'archived', records: members, inserted: members })
      expect(report.requests).toBe(Math.max(1, Math.ceil(members / 1000)))
      await expectTruth(archive.db, room)
    },
  )
})
