import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RoomReport } from '../archive/archive-room'
import type { CallbackAnswer } from '../archive/receive-callback'
import { schedule } from '../archive/schedule'
import type { ArchiveMetrics, Freshness } from '../db/read-metrics'

/** Seconds. The goals of one minute and two seconds have borders of their own; what takes days was away. */
const FRESHNESS_BUCKETS = [1, 2, 5, 10, 30, 65, 120, 300, 900, 1800, 3600, 14_400, 43_200, 86_400, 259_200]
const ANSWER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** What this process counts by itself, and what it is told of the database, as Prometheus reads it. No personal data. */
export interface Metrics {
  readonly contentType: string
  countRun(report: RoomReport): void
  countCallback(answer: Pick<CallbackAnswer, 'outcome' | 'code'>, seconds: number): void
  addFreshness(rooms: readonly Freshness[]): void
  /** What the database says; `undefined` where it says nothing: nothing old is given for new. */
  setArchive(archive: ArchiveMetrics | undefined): void
  setWorker(isWell: boolean): void
  text(): Promise<string>
}

export function createMetrics({ version, requestsPerSecond }: { version: string; requestsPerSecond: number }): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const runs = new Counter({
    name: 'lcic_archive_runs_total',
    help: 'Attempts of this process at rooms, by outcome: archived, unchanged (read again), or why the room was put off. All but archived and unchanged rising together: see lcic-archive status.',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['archived', 'unchanged', ...Object.keys(schedule)]) runs.inc({ outcome }, 0)
  const requests = new Counter({
    name: 'lcic_archive_requests_total',
    help: 'Answers of DescribeRoomStatistics to this process, refusals included.',
    registers,
  })
  const callbacks = new Counter({
    name: 'lcic_archive_callbacks_total',
    help: "LCIC's callbacks to this process: accepted (stored, the room is due), ignored (events of no concern), or refused, and why. Refused for E_CALLBACK_SIGNATURE: LCIC_CALLBACK_KEY is not the app's key, or somebody else calls.",
    labelNames: ['outcome', 'reason'],
    registers,
  })
  for (const outcome of ['accepted', 'ignored']) callbacks.inc({ outcome, reason: '' }, 0)
  const answers = new Histogram({
    name: 'lcic_archive_callback_duration_seconds',
    help: 'From when a callback was there in whole until it was answered; LCIC waits for some seconds.',
    buckets: ANSWER_BUCKETS,
    registers,
  })
  const freshness = new Histogram({
    name: 'lcic_archive_freshness_seconds',
    help: 'From the end of a class until it was archived for the first time, by this process. LCIC needs a part of that to make the statistics.',
    buckets: FRESHNESS_BUCKETS,
    registers,
  })
  const sinceReady = new Histogram({
    name: 'lcic_archive_freshness_since_ready_seconds',
    help: 'The same from when the statistics can have been ready at the earliest: when LCIC last said that they were not. Rooms that were ready when first asked for are not in it.',
    buckets: FRESHNESS_BUCKETS,
    registers,
  })
  const gauge = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `lcic_archive_${name}`, help, labelNames, registers })
  const databaseUp = gauge(
    'database_up',
    'Whether the database answered this scrape, or one a moment ago: 1 or 0. At 0 what it knows is left out.',
  )
  const workerUp = gauge(
    'worker_up',
    'Whether this process archives rooms: 1, or 0 where it cannot; /healthz says why.',
  )
  const jobs = gauge('jobs', 'Rooms by state of their job; failed and missing ones want a person to look.', ['state'])
  const oldestDue = gauge(
    'oldest_due_age_seconds',
    'For how long the room has been due that has been for longest; 0 where none is. Minutes: there is more to do than the rate allows. An hour: no worker lives.',
  )
  const pastDeadline = gauge(
    'rooms_past_deadline',
    'Rooms that are not archived although LCIC may have deleted their statistics by now. Above 0, look at once.',
  )
  const slots = gauge(
    'budget_slots_last_minute',
    'Requests that all processes together were allowed in the last full minute, by action; at most 60 times the limit.',
    ['action'],
  )
  const backlog = gauge('budget_backlog_seconds', 'How long a request would wait for its turn now, by action.', [
    'action',
  ])
  const limit = gauge('budget_limit_per_second', 'LCIC_REQUESTS_PER_SECOND: the limit, for each action.')
  limit.set(requestsPerSecond)
  const swept = gauge(
    'last_full_sweep_timestamp_seconds',
    'When the last sweep began that saw all of an app: no room that ended before is unknown. Older than a day: see lcic-archive status.',
    ['sdk_app_id'],
  )
  gauge('build_info', 'Always 1; the version is in the label.', ['version']).set({ version }, 1)

  function setArchive(archive: ArchiveMetrics | undefined): void {
    databaseUp.set(archive ? 1 : 0)
    for (const labelled of [jobs, slots, backlog, swept]) labelled.reset()
    for (const single of [oldestDue, pastDeadline]) single.remove()
    if (!archive) return
    for (const state of ['pending', 'archived', 'expired', 'missing', 'failed']) jobs.set({ state }, 0)
    for (const known of archive.jobs) jobs.set({ state: known.state }, known.jobs)
    oldestDue.set(Math.max(0, ...archive.jobs.map(({ oldestDueMs }) => (oldestDueMs ?? 0) / 1000)))
    pastDeadline.set(archive.jobs.reduce((sum, { passedDeadline }) => sum + passedDeadline, 0))
    for (const { action, lastMinute, backlogMs } of archive.budgets) {
      slots.set({ action }, lastMinute)
      backlog.set({ action }, backlogMs / 1000)
    }
    for (const { sdkAppId, sweptUntil } of archive.sweeps) {
      if (sweptUntil) swept.set({ sdk_app_id: String(sdkAppId) }, sweptUntil.getTime() / 1000)
    }
  }

  return {
    contentType: registry.contentType,
    countRun({ outcome, requests: answered }) {
      if (outcome !== 'busy') runs.inc({ outcome })
      requests.inc(answered)
    },
    countCallback({ outcome, code = '' }, seconds) {
      callbacks.inc({ outcome, reason: code })
      answers.observe(seconds)
    },
    addFreshness(rooms) {
      for (const { sinceEndMs, sinceNotReadyMs } of rooms) {
        if (sinceEndMs !== null) freshness.observe(Math.max(0, sinceEndMs / 1000))
        if (sinceNotReadyMs !== null) sinceReady.observe(Math.max(0, sinceNotReadyMs / 1000))
      }
    },
    setArchive,
    setWorker: (isWell) => workerUp.set(isWell ? 1 : 0),
    text: () => registry.metrics(),
  }
}
