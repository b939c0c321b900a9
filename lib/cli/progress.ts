import { SingleBar } from 'cli-progress'
import { isDone, type RoomReport } from '../archive/archive-room'
import type { ArchiveEvent } from '../archive/context'
import { counted, remark } from './output'

/** Shows how far the archiving of rooms is. */
export interface Progress {
  observe(event: ArchiveEvent): void
  report(report: RoomReport): void
  stop(): void
}

/** How often a line is written where there is no terminal to draw on. */
export const LINE_EVERY_MS = 2000

/** Where there is no terminal, who wants to hear of errors alone hears of nothing else: cron mails what it hears. */
export function isWanted(logLevel: string | undefined): boolean {
  return process.stderr.isTTY || !['error', 'fatal', 'silent'].includes(logLevel ?? '')
}

/**
 * A bar on a terminal; elsewhere a line every two seconds, so that short runs print none.
 *
 * @param rooms how many there are; absent where that is not known
 */
export function showProgress({ rooms, logLevel }: { rooms?: number; logLevel?: string | undefined } = {}): Progress {
  const startedAt = performance.now()
  let done = 0
  let pages = 0
  let records = 0
  let refused = 0

  const text = () => {
    const elapsed = (performance.now() - startedAt) / 1000
    const left = rooms && done > 0 && done < rooms ? `, ${timeLeft((elapsed / done) * (rooms - done))} left` : ''
    const refusals = refused > 0 ? `, ${counted(refused, 'retry').replace('retrys', 'retries')}` : ''
    const rate = elapsed > 0.5 ? `, ${(pages / elapsed).toFixed(1)} pages/s` : ''
    return `${counted(pages, 'page')}, ${counted(records, 'record')}${rate}${refusals}${left}`
  }
  const display = process.stderr.isTTY ? bar(rooms) : lines(rooms)
  let shown: string | undefined
  const show = () => {
    // The rate and the time left change without anything having moved.
    const now = [done, pages, refused].join()
    if (process.stderr.isTTY || (now !== shown && isWanted(logLevel))) display.show(done, text())
    shown = now
  }
  const timer = setInterval(show, process.stderr.isTTY ? 200 : LINE_EVERY_MS)

  return {
    observe(event) {
      if (event.type === 'refused') refused++
      else if (event.type === 'database_lost' && isWanted(logLevel))
        remark('The database does not answer; waiting for it …')
      else if (event.type === 'page') {
        pages++
        records += event.pageRecords
      }
    },
    report(report) {
      if (isDone(report)) done++
    },
    stop() {
      clearInterval(timer)
      if (process.stderr.isTTY) show()
      display.stop()
    },
  }
}

/** Shows how far a sweep is: a line every two seconds, so that short ones print none. */
export function showListing(logLevel: string | undefined): { observe(event: ArchiveEvent): void; stop(): void } {
  let listed: string | undefined
  const tell = () => {
    if (listed && isWanted(logLevel)) remark(listed)
    listed = undefined
  }
  const timer = setInterval(tell, LINE_EVERY_MS)
  return {
    observe(event) {
      if (event.type === 'listed')
        listed = `${counted(event.rooms, 'room')} listed, up to ${event.upTo.toISOString().slice(0, 10)} …`
      if (event.type === 'described') listed = `${counted(event.rooms, 'room')} asked about for who taught them …`
    },
    stop: () => clearInterval(timer),
  }
}

interface Display {
  show(done: number, text: string): void
  stop(): void
}

function timeLeft(seconds: number): string {
  return seconds < 120 ? `about ${Math.ceil(seconds)} s` : `about ${Math.ceil(seconds / 60)} min`
}

function bar(rooms: number | undefined): Display {
  const single = new SingleBar({
    format: rooms === undefined ? '{value} rooms, {text}' : '{bar} {value}/{total} rooms, {text}',
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    stream: process.stderr,
    gracefulExit: false,
  })
  single.start(rooms ?? 0, 0, { text: '' })
  return { show: (done, text) => single.update(done, { text }), stop: () => single.stop() }
}

function lines(rooms: number | undefined): Display {
  const of = (done: number) => (rooms === undefined ? counted(done, 'room') : `${done} of ${counted(rooms, 'room')}`)
  return { show: (done, text) => remark(`${of(done)}: ${text}`), stop: () => undefined }
}
