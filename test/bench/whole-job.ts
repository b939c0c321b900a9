import { fork } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { answerOf, type Contestant, contestantsOf, product, program, type Step } from './contestants'
import { pythonWithDlt } from './python'
import { type CaseCosts, type Cost, jsonReport, textReport } from './report'
import { costOnServer } from './server-cost'
import type { SchoolSize, Source, SourceState } from './steps'

const usage = `npm run bench -- [--cases a,b,c] [--rounds 3] [--only NAME] [--size 1] [--json]

The whole job, from the source's answers to committed rows, beside what others would do in its place and beside the least
that it could cost: same server, same database, same source, no request limit.

  a   100 rooms of 1,000 members
  b   2,000 rooms of 30 members
  c   one room of 100,000 members

--rounds  how often each is measured; medians are printed. What takes very long is measured once.
--only    contestants whose names begin so, or so: several are told apart by a semicolon
--size    a fraction of the rooms (of the members, in c), for a quick look
`

/** What each case is, by its letter. */
const cases: Readonly<Record<string, SchoolSize>> = {
  a: { rooms: 100, members: 1000 },
  b: { rooms: 2000, members: 30 },
  c: { rooms: 1, members: 100_000 },
}

/**
 * Each measured process is started for its step and ends with it. Contestants take turns, so that other work on the machine
 * weighs on all of them alike.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: 'a,b,c' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      size: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return
  }
  const python = await pythonWithDlt()
  if ('missing' in python) progress(`dlt is left out, because there is no Python that could run it: ${python.missing}`)
  const results: CaseCosts[] = []
  for (const name of values.cases.split(',')) {
    const full = cases[name]
    if (!full) throw new Error(`There is no case ${name}; there are ${Object.keys(cases).join(', ')}.`)
    const size = shrunk(full, Number(values.size))
    const options = {
      size,
      rounds: Number(values.rounds),
      only: values.only,
      python: 'path' in python ? python.path : undefined,
    }
    results.push({ name, size, costs: await measureCase(name, options) })
  }
  process.stdout.write(values.json ? jsonReport(results) : textReport(results))
}

function shrunk({ rooms, members }: SchoolSize, share: number): SchoolSize {
  return rooms === 1 ? { rooms, members: Math.round(members * share) } : { rooms: Math.round(rooms * share), members }
}

/** PostgreSQL's own, fsync included, with the memory of a small server. Checkpoints are made between the steps. */
const serverSettings = { shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '1h' }

/** What the source has to be like for each step. */
const states: Readonly<Record<Step, SourceState>> = {
  first: 'documented',
  unchanged: 'documented',
  changed: 'changed',
  'new fields': 'undocumented',
}

interface CaseOptions {
  readonly size: SchoolSize
  readonly rounds: number
  readonly only: string
  readonly python: string | undefined
}

async function measureCase(name: string, { size, rounds, only, python }: CaseOptions): Promise<CaseCosts['costs']> {
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory, settings: serverSettings })
  const sourceProcess = fork(program('source-process'), [JSON.stringify(size)])
  const { url: databaseUrl, dataDirectory } = database
  const admin = new pg.Client(databaseUrl)
  try {
    const source = await answerOf<Source>(sourceProcess)
    const db = connect({ url: databaseUrl, max: 1 })
    await migrateUp(db)
    await db.destroy()
    await admin.connect()
    const copyFile = join(directory, 'rows.txt')
    const all = contestantsOf({ source, databaseUrl, copyFile, directory, python })
    const become = async (state: SourceState) => {
      sourceProcess.send(state)
      await answerOf<SourceState>(sourceProcess)
    }

    // Nothing of the first time counts: the server's files are new, and the rows to copy are yet to be made.
    await become('undocumented')
    await become('documented')
    await all.find((contestant) => contestant.name === product)?.run('first')
    await pipeline(admin.query(copyTo('copy archive.member_records to stdout')), createWriteStream(copyFile))

    const costs = new Map<string, Map<Step, Cost[]>>()
    const contestants = all.filter(({ name }) => only.split(';').some((beginning) => name.startsWith(beginning)))
    for (let round = 1; round <= rounds; round++) {
      for (const contestant of contestants) {
        if (contestant.isSlow && round > 1) continue
        progress(`case ${name}, round ${round} of ${rounds}: ${contestant.name}`)
        const steps = costs.get(contestant.name) ?? new Map<Step, Cost[]>()
        costs.set(contestant.name, steps)
        for (const step of contestant.steps) {
          await become(states[step])
          if (step === 'first' || step === 'new fields') await contestant.reset(admin)
          await admin.query('checkpoint')
          const cost = await costOnServer(admin, dataDirectory, () => contestant.run(step))
          if (cost.rows !== size.rooms * size.members) throw new Error(`${contestant.name}, ${step}: ${cost.rows} rows`)
          steps.set(step, [...(steps.get(step) ?? []), cost])
          await vacuum(admin, contestant)
        }
      }
    }
    return costs
  } finally {
    sourceProcess.kill()
    await admin.end().catch(() => undefined)
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** As autovacuum does before a room is read again; else the first reader would pay for writing hint bits. */
async function vacuum(admin: pg.Client, { schema }: Contestant): Promise<void> {
  const { rows } = await admin.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = $1`,
    [schema],
  )
  for (const { name } of rows) await admin.query(`vacuum (analyze) ${name}`)
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}

void main()
