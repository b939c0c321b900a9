import { randomInt } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { planRound } from './plan'
import { resultTable, roundLine } from './report'
import { playRound, type RoundResult } from './round'
import { wholeRound } from './shape'

const help = `Has everything go wrong that can, and looks whether the archive keeps its promises.

  npm run torture -- [--minutes N] [--seed S] [--workers W] [--keep] [--json]

  --minutes  how long; a round for each of the seeds S, S+1, … takes about 80 s (default 10)
  --seed     the first seed; drawn if absent. A seed plays the same school, and the same faults at the same points
  --workers  processes that work, besides one that serves (default ${wholeRound.workers})
  --keep     keeps the logs of all rounds
  --json     prints all results as one JSON document

Exit code: 0 all promises were kept, 1 one was not, 2 usage, 130 stopped.
`

const interruption = new AbortController()
// Each event of a plan waits for its time.
setMaxListeners(0, interruption.signal)

/** @returns the exit code */
async function main(): Promise<number> {
  let options: ReturnType<typeof readArguments>
  try {
    options = readArguments()
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n(--help shows more)`)
    return 2
  }
  const { minutes, seed, workers, keep, json, help: wantsHelp } = options
  if (wantsHelp) {
    process.stdout.write(help)
    return 0
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (interruption.signal.aborted) process.exit(130)
      interruption.abort(new Error(`Stopped by ${name}.`))
    })
  }
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-torture-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const endAt = performance.now() + minutes * 60_000
  const results: RoundResult[] = []
  let keepsEvidence = keep
  say(`seeds from ${seed}, for ${minutes} minutes, in ${directory}`)
  try {
    for (let next = seed; results.length === 0 || performance.now() < endAt; next++) {
      const result = await play(next, { workers, keep, directory })
      results.push(result)
      if (result.violations.length > 0) keepsEvidence = true
    }
  } catch (error) {
    if (!interruption.signal.aborted) {
      keepsEvidence = true
      throw error
    }
  } finally {
    const database = join(directory, 'database')
    if (keepsEvidence)
      await copyFile(join(database, 'postgres.log'), join(directory, 'postgres.log')).catch(() => undefined)
    await rm(keepsEvidence ? database : directory, { recursive: true, force: true, maxRetries: 3 })
    if (keepsEvidence) say(`evidence: ${directory}`)
  }
  process.stdout.write(json ? `${JSON.stringify(results, asText, 2)}\n` : `${resultTable(results)}\n`)
  if (results.some(({ violations }) => violations.length > 0)) return 1
  return interruption.signal.aborted ? 130 : 0
}

async function play(
  seed: number,
  { workers, keep, directory }: { workers: number; keep: boolean; directory: string },
): Promise<RoundResult> {
  const logs = join(directory, `seed-${seed}`)
  await mkdir(logs)
  const result = await playRound({
    plan: planRound(seed, { ...wholeRound, workers }),
    program: join(process.cwd(), 'dist', 'lcic-archive.cjs'),
    databaseDirectory: join(directory, 'database'),
    directory: logs,
    signal: interruption.signal,
  })
  say(roundLine(result))
  for (const { check, roomId, what } of result.violations) say(`  ${check}${roomId ? `, room ${roomId}` : ''}: ${what}`)
  if (result.violations.length > 0) {
    const own = workers === wholeRound.workers ? '' : ` --workers ${workers}`
    say(`  replay: npm run torture -- --minutes 1 --seed ${seed}${own}\n  evidence: ${logs}`)
  } else if (!keep) await rm(logs, { recursive: true, force: true })
  return result
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      workers: { type: 'string', default: String(wholeRound.workers) },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const whole = (name: string, text: string, least: number) => {
    if (!/^\d{1,9}$/.test(text) || Number(text) < least)
      throw new TypeError(`--${name} takes a whole number from ${least}.`)
    return Number(text)
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new TypeError('--minutes takes a number above 0.')
  return {
    ...values,
    minutes,
    seed: values.seed === undefined ? randomInt(1_000_000) : whole('seed', values.seed, 0),
    workers: whole('workers', values.workers, 1),
  }
}

function asText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

main().then(
  (exitCode) => {
    process.exitCode = exitCode
  },
  (error: unknown) => {
    say(`${error instanceof Error ? error.stack : error}`)
    process.exitCode = 1
  },
)
