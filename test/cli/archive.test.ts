import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestArchive, type TestArchive } from '../support/archive'
import { type CommandLine, type EndedCommand, installCommandLine } from '../support/command-line'
import { expectTruth } from '../support/truth'

let cli: CommandLine
let archive: TestArchive
/** Begun before all else, because it takes all its retries to find out. */
let outOfReach: Promise<EndedCommand>

beforeAll(async () => {
  ;[cli, archive] = await Promise.all([installCommandLine(), openTestArchive()])
  outOfReach = cli.run(['archive', '9000000001', '--json'], {
    env: environment({ LCIC_ENDPOINT: 'http://127.0.0.1:1' }),
  })
})
afterAll(async () => {
  await cli?.remove()
  await archive?.close()
})

function environment(changes: Readonly<Record<string, string>> = {}) {
  const { endpoint, credentials } = archive.simulator
  return {
    DATABASE_URL: archive.url,
    LCIC_ENDPOINT: endpoint,
    LCIC_REQUESTS_PER_SECOND: '1000',
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    ...changes,
  }
}

const archiveRooms = (rooms: readonly { roomId: bigint }[], ...options: string[]) =>
  cli.run(['archive', ...rooms.map(({ roomId }) => String(roomId)), ...options], { env: environment() })

test('archive says of each room what came of it, and why, and ends with 1 if some are not archived', async () => {
  const { school } = archive
  const rooms = [
    school.addRoom({ roomId: 2n ** 63n - 1n, members: 1200 }),
    school.addRoom({ roomId: 21n, members: 0 }),
    school.addRoom({ roomId: 22n, members: 3, notReadyAnswers: 99 }),
    school.addRoom({ roomId: 23n, members: 3, realEndAt: null }),
    school.addRoom({ roomId: 24n, fate: 'missing' }),
    school.addRoom({ roomId: 25n, fate: 'expired' }),
  ]
  const { exitCode, stdout } = await archiveRooms(rooms, '--wait', '100ms')
  expect(exitCode).toBe(1)
  expect(stdout.replaceAll(/\d+\.\d s/g, '0.0 s')).toMatchInlineSnapshot(`
    "                room    outcome      members    inserted    updated    removed    requests     took 
    ────────────────────────────────────────────────────────────────────────────────────────────────────
     9223372036854775807    archived        1200        1200          0          0           2    0.0 s 
                      21    archived           0           0          0          0           1    0.0 s 
                      22    not ready          0           0          0          0           1    0.0 s 
                      23    not ended          0           0          0          0           1    0.0 s 
                      24    gone               0           0          0          0           1    0.0 s 
                      25    expired            0           0          0          0           1    0.0 s 
    Room 22: LCIC is still computing its statistics (ResourceUnavailable.RoomStatistics: The room statistics are being calculated, try again later). It will be asked again.
    Room 23: the class is still going on (FailedOperation.RoomNotEnd: The room has not ended). It will be asked again; statistics exist once it has ended.
    Room 24: LCIC says that there is no such room (ResourceNotFound.Room: The room does not exist). Check its number, and that the credentials belong to its account. It will be asked again for a day before it counts as missing.
    Room 25: the room expired without a class, so there are no statistics (FailedOperation.ClassExpired: The class has expired). There is nothing to do.
    6 rooms: 2 archived, 4 not; 7 requests, 1,200 members in 0.0 s.
    "
  `)
  for (const room of rooms.slice(0, 2)) await expectTruth(archive.db, room)
  const jobs = await archive.db.selectFrom('archive.jobs').select(['room_id', 'state']).orderBy('room_id').execute()
  expect(jobs.slice(0, 5).map(({ state }) => state)).toEqual(['archived', 'pending', 'pending', 'pending', 'expired'])

  // What there was is archived already: nothing is written.
  const again = await archiveRooms(rooms.slice(0, 2))
  expect(again.exitCode).toBe(0)
  expect(again.stdout).toMatch(/^ *9223372036854775807 +unchanged +1200 +0 +0 +0 +2 /m)
  expect(again.stdout).toMatch(/^2 rooms: 2 archived; 3 requests, 1,200 members in \d+\.\d s\.$/m)
})

test('with --json stdout is one document, and all that is logged goes to stderr', async () => {
  const { school } = archive
  const [good, large, missing] = [
    school.addRoom({ members: 12 }),
    school.addRoom({ roomId: 2n ** 62n, members: 2 }),
    school.addRoom({ fate: 'missing' }),
  ]
  const { exitCode, stdout, stderr } = await cli.run(
    ['archive', '--json', ...[good, large, missing].map(({ roomId }) => String(roomId))],
    { env: environment({ LOG_LEVEL: 'trace' }) },
  )
  expect(exitCode).toBe(1)
  expect(JSON.parse(stdout)).toEqual({
    rooms: [
      expect.objectContaining({ room_id: Number(good.roomId), outcome: 'archived', state: 'archived', inserted: 12 }),
      expect.objectContaining({ room_id: String(large.roomId), outcome: 'archived', state: 'archived', inserted: 2 }),
      expect.objectContaining({ outcome: 'gone', state: 'pending', code: 'ResourceNotFound.Room' }),
    ],
    archived: 2,
    not_archived: 1,
    requests: 3,
    members: 14,
    duration_ms: expect.any(Number),
  })
  const lines = stderr.split('\n').filter((line) => line && !/^\d of 3 rooms: /.test(line))
  const logged = lines.map((line): Record<string, unknown> => JSON.parse(line))
  expect(logged.filter(({ msg }) => msg === 'room')).toHaveLength(3)
  expect(logged).toContainEqual(expect.objectContaining({ roomId: String(large.roomId), outcome: 'archived' }))
})

test('six that archive the same room at once all succeed, and one of them has written it', async () => {
  const room = archive.school.addRoom({ members: 2500 })
  const ended = await Promise.all(Array.from({ length: 6 }, () => archiveRooms([room], '--json')))
  expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0, 0])
  const outcomes = ended.map(({ stdout }) => JSON.parse(stdout).rooms[0].outcome)
  expect(outcomes.toSorted()).toEqual(['archived', ...Array(5).fill('unchanged')])
  await expectTruth(archive.db, room)
  const runs = await archive.db.selectFrom('archive.runs').selectAll().where('room_id', '=', room.roomId).execute()
  expect(runs.map(({ outcome }) => outcome).toSorted()).toEqual(outcomes.toSorted())
})

test('Ctrl-C gives the room back at once, and the next archive goes on from the landed pages', async () => {
  const room = archive.school.addRoom({ members: 4321 })
  archive.simulator.setFaults(({ page = 0 }) => (page > 2 ? { kind: 'hang' } : undefined))
  const running = cli.start(['archive', String(room.roomId)], { env: environment() })
  // Progress is told, too, where there is no terminal.
  await running.printed(/^0 of 1 room: 2 pages, 2,000 records/m)
  const stoppedAt = performance.now()
  running.signal('SIGINT')
  const { exitCode, stdout, stderr } = await running.ended
  expect(performance.now() - stoppedAt).toBeLessThan(3_000)
  expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' })
  expect(stderr).toContain('the next run goes on from there')
  expect(stderr).not.toContain('    at ')
  const { db } = archive
  const lease = db.selectFrom('archive.jobs').select(['state', 'leased_by']).where('room_id', '=', room.roomId)
  expect(await lease.execute()).toEqual([{ state: 'pending', leased_by: null }])
  const runs = db.selectFrom('archive.runs').select(['outcome', 'pages']).where('room_id', '=', room.roomId)
  expect(await runs.execute()).toEqual([{ outcome: 'interrupted', pages: 2 }])

  archive.simulator.setFaults(undefined)
  const requests = archive.simulator.requests.length
  expect(await archiveRooms([room])).toMatchObject({ exitCode: 0 })
  expect(
    archive.simulator.requests
      .slice(requests)
      .map(({ page }) => page)
      .toSorted(),
  ).toEqual([3, 4, 5])
  await expectTruth(db, room)
})

test('credentials that LCIC refuses end with 2 after one request, and the message names the variables', async () => {
  const requests = archive.simulator.requests.length
  const { exitCode, stdout, stderr } = await cli.run(['archive', '9000000002'], {
    env: environment({ TENCENTCLOUD_SECRET_KEY: 'a-wrong-key' }),
  })
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toMatch(/AuthFailure\.SignatureFailure.*Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY/)
  expect(stderr).not.toContain('a-wrong-key')
  expect(archive.simulator.requests.length - requests).toBe(1)
})

test('an LCIC that is out of reach ends with 3, and the room keeps its job', async () => {
  const { exitCode, stdout } = await outOfReach
  expect(exitCode).toBe(3)
  expect(JSON.parse(stdout).rooms).toEqual([
    expect.objectContaining({ outcome: 'transient', state: 'pending', code: 'E_NETWORK', due_at: expect.any(String) }),
  ])
})

test('a room that PostgreSQL refuses delays no other, and its job says why', async () => {
  const { school, db } = archive
  const [refused, ...others] = Array.from({ length: 12 }, () => school.addRoom({ members: 2 }))
  await refuse(refused?.roomId)
  const { exitCode, stdout } = await archiveRooms([refused ?? school.addRoom(), ...others], '--json')
  expect(exitCode).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ archived: 11, not_archived: 1 })
  const jobs = db
    .selectFrom('archive.jobs')
    .selectAll()
    .where('room_id', '=', refused?.roomId ?? 0n)
  expect(await jobs.executeTakeFirst()).toMatchObject({ state: 'pending', leased_by: null, last_error_code: '23514' })
})

test('no name, address, key or password is in any output, whatever goes wrong and whatever the log level', async () => {
  const { school, simulator, db } = archive
  const person = { UserName: 'Nadia Geheim', IPAddress: '203.0.113.77', Location: 'Hinterm Deich' }
  const [whole, refused] = [school.addRoom({ members: 5 }), school.addRoom({ members: 5 })]
  for (const room of [whole, refused]) for (const member of room.members) Object.assign(member, person)
  // Everything that can go wrong on the way goes wrong once; then the database refuses a row, as it would any it cannot take.
  const faults = ['html', 'truncate', 'total'] as const
  let request = 0
  simulator.setFaults(({ roomId }) => {
    const kind = roomId === whole.roomId ? faults[request++] : undefined
    return kind && { kind }
  })
  await refuse(refused.roomId)

  const env = environment({ LOG_LEVEL: 'trace' })
  const ended = [
    await cli.run(['archive', String(whole.roomId)], { env }),
    await cli.run(['archive', String(refused.roomId)], { env }),
    await cli.run(['replay', '--all'], { env }),
  ]
  expect(ended.map(({ exitCode }) => exitCode === 0)).toEqual([true, false, true])
  await expectTruth(db, whole)
  expect(request).toBeGreaterThan(faults.length)
  const output = ended.map(({ stdout, stderr }) => stdout + stderr).join('')
  expect(output).toContain('refused_')
  const secrets = [...Object.values(person), simulator.credentials.secretKey, new URL(archive.url).password]
  for (const secret of secrets) expect(output).not.toContain(secret)
})

/** Makes PostgreSQL refuse the members of a room, as it would refuse what it cannot store. */
async function refuse(roomId = 0n): Promise<void> {
  const name = sql.id(`refused_${roomId}`)
  const condition = sql`room_id <> ${sql.lit(String(roomId))}`
  await sql`alter table archive.member_records add constraint ${name} check (${condition})`.execute(archive.db)
}
