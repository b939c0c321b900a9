import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type pg from 'pg'
import type { CopyTask, LoadTask, Measured, Source } from './steps'

/** What is measured: a first load, one that finds nothing new, one that finds 1 % changed, and a first one with new fields in 4 %. */
export type Step = 'first' | 'unchanged' | 'changed' | 'new fields'

/** Something that loads the rooms, or a part of that, in a process of its own. */
export interface Contestant {
  readonly name: string
  readonly steps: readonly Step[]
  /** It takes so long that once has to do. */
  readonly isSlow?: boolean
  /** Schema of its tables. */
  readonly schema?: string
  /** Makes its tables, or empties them. */
  reset(admin: pg.Client): Promise<void>
  run(step: Step): Promise<Measured>
}

export interface Place {
  readonly source: Source
  readonly databaseUrl: string
  /** The rows as COPY writes them. */
  readonly copyFile: string
  /** For state that is kept from one run to the next. */
  readonly directory: string
  /** A Python that has what `dlt/requirements.txt` names. */
  readonly python: string | undefined
}

const threeSteps: readonly Step[] = ['first', 'unchanged', 'changed']

export const product = 'lcic-archive'
export const script = 'competent script'
export const dlt = 'dlt, REST source, merge'
export const copyFloor = 'bare COPY'

export function contestantsOf({ source, databaseUrl, copyFile, directory, python }: Place): Contestant[] {
  const load: LoadTask = { ...source, databaseUrl }
  const scripted = (name: string, task: Partial<LoadTask>, isSlow = false): Contestant => ({
    name,
    steps: threeSteps,
    isSlow,
    schema: 'script',
    reset: resetScript,
    run: () => runProcess<LoadTask>('script-process', { ...load, ...task }),
  })
  return [
    {
      name: copyFloor,
      steps: ['first'],
      schema: 'bare',
      reset: resetBare,
      run: () => runProcess<CopyTask>('copy-process', { databaseUrl, file: copyFile }),
    },
    {
      name: 'bare HTTP fetch',
      steps: ['first'],
      reset: async () => undefined,
      run: () => runProcess<LoadTask>('fetch-process', load),
    },
    {
      name: product,
      steps: [...threeSteps, 'new fields'],
      schema: 'archive',
      reset: resetArchive,
      run: () => runProcess<LoadTask>('archive-process', load),
    },
    scripted(script, {}),
    scripted(`${script}, 8 rooms at once`, { roomsAtOnce: 8 }),
    scripted(`${script}, row by row`, { writes: 'rows' }, true),
    ...(python === undefined ? [] : [dltContestant(python, load, directory)]),
  ]
}

function dltContestant(python: string, load: LoadTask, directory: string): Contestant {
  let loads = 0
  return {
    name: dlt,
    steps: threeSteps,
    isSlow: true,
    schema: 'dlt',
    async reset(admin) {
      loads++
      await admin.query('drop schema if exists dlt cascade; drop schema if exists dlt_staging cascade')
    },
    async run() {
      const child = spawn(python, [join(process.cwd(), 'test', 'bench', 'dlt', 'load_rooms.py')], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      child.stdin.end(JSON.stringify({ ...load, pipelinesDir: join(directory, `dlt-${loads}`) }))
      const ended = once(child, 'close')
      const said = await text(child.stdout)
      await ended
      if (child.exitCode !== 0) throw new Error(`dlt ended with ${child.exitCode}`)
      const measured: Measured = JSON.parse(said)
      return measured
    },
  }
}

/** Tables as the product has them, but for what it alone keeps. */
async function resetScript(admin: pg.Client): Promise<void> {
  await admin.query(`
    drop schema if exists script cascade;
    create schema script;
    create table script.member_records (like archive.member_records);
    alter table script.member_records drop column extra, drop column archived_at, drop column changed_at,
      drop column removed_at, add primary key (room_id, user_id);
    create table script.rooms (
      room_id bigint primary key, total int, peak_member_number int, member_number int, real_start_at timestamptz,
      real_end_at timestamptz, message_count int, mic_count int)`)
}

async function resetBare(admin: pg.Client): Promise<void> {
  await admin.query(`
    create schema if not exists bare;
    drop table if exists bare.rows;
    create table bare.rows as table archive.member_records with no data`)
}

export async function resetArchive(admin: pg.Client): Promise<void> {
  await admin.query(
    'truncate archive.jobs, archive.rooms, archive.member_records, archive.raw_pages, archive.runs, archive.history',
  )
}

export async function runProcess<Task>(name: string, task: Task): Promise<Measured> {
  const child = fork(program(name), [JSON.stringify(task)])
  const ended = once(child, 'exit')
  const measured = await answerOf<Measured>(child)
  await ended
  return measured
}

/** The next message of a child; one that ends instead has said why. */
export async function answerOf<Message>(child: ChildProcess): Promise<Message> {
  const ended = new AbortController()
  const end = () => ended.abort(new Error(`A process of the benchmark ended with ${child.exitCode}`))
  child.once('exit', end)
  try {
    const [message]: Message[] = await once(child, 'message', { signal: ended.signal })
    return message as Message
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error
  } finally {
    child.off('exit', end)
  }
}

/** The others are bundled beside this one. */
export function program(name: string): string {
  return join(__dirname, `${name}.cjs`)
}
