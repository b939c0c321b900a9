import type { Format } from './format'

const MINUTE = 60_000
const DAY = 1440 * MINUTE
const steps = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 360, 720, 1440].map((minutes) => minutes * MINUTE)

/** A span of wall-clock time, in milliseconds. */
export interface TimeSpan {
  readonly from: number
  readonly to: number
}

/** Round times, so far from each other that they can be read. */
export function timeTicks({ from, to }: TimeSpan, pixels: number): number[] {
  const most = Math.max(2, Math.floor(pixels / (to - from > DAY ? 96 : 52)))
  const step = steps.find((length) => (to - from) / length <= most) ?? Math.ceil((to - from) / most / DAY) * DAY
  const ticks: number[] = []
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at)
  return ticks
}

/** The horizontal axis of time. Its labels are written here, so no time zone of this machine's comes into play. */
export function timeEncoding(span: TimeSpan, pixels: number, format: Format, field: string) {
  const ticks = timeTicks(span, pixels)
  const label = (at: number) => (span.to - span.from > DAY ? `${format.day(at)} ${format.time(at)}` : format.time(at))
  const labels = Object.fromEntries(ticks.map((at) => [String(at), label(at)]))
  return {
    field,
    type: 'quantitative',
    scale: { domain: [span.from, span.to], nice: false, zero: false },
    axis: { values: ticks, title: null, labelExpr: `(${JSON.stringify(labels)})[toString(datum.value)]` },
  }
}

/** Where the class starts and ends, as dashed lines. */
export function classBounds(span: TimeSpan, bounds: readonly (number | null)[]): object {
  const values = bounds.filter((at) => at !== null && at >= span.from && at <= span.to).map((at) => ({ at }))
  return {
    data: { values },
    mark: { type: 'rule', stroke: 'var(--ink)', strokeDash: [4, 3], strokeWidth: 1 },
    encoding: { x: { field: 'at', type: 'quantitative' } },
  }
}

/** What those lines are, above them. */
export function boundLabels(
  span: TimeSpan,
  labels: readonly { at: number | null; label: string; align: string }[],
): object[] {
  return labels
    .filter(({ at }) => at !== null && at >= span.from && at <= span.to)
    .map(({ at, label, align }) => ({
      data: { values: [{ at, label }] },
      mark: { type: 'text', align, baseline: 'bottom', dx: align === 'left' ? 0 : -4, fill: 'var(--soft)' },
      encoding: { x: { field: 'at', type: 'quantitative' }, y: { value: -4 }, text: { field: 'label' } },
    }))
}

/** The class and whoever came before or stayed, but not those who did so for hours: the class would be a sliver. */
export function timelineSpan(
  bars: readonly TimeSpan[],
  { startedAt, endedAt }: { readonly startedAt: number | null; readonly endedAt: number | null },
): TimeSpan {
  let from = startedAt ?? Number.POSITIVE_INFINITY
  let to = endedAt ?? Number.NEGATIVE_INFINITY
  for (const bar of bars) {
    from = Math.min(from, bar.from)
    to = Math.max(to, bar.to)
  }
  if (startedAt !== null && endedAt !== null) {
    const margin = Math.max(15 * MINUTE, (endedAt - startedAt) / 4)
    from = Math.max(from, startedAt - margin)
    to = Math.min(to, endedAt + margin)
  }
  if (!Number.isFinite(from)) from = Number.isFinite(to) ? to : 0
  return to - from < MINUTE ? { from: from - MINUTE, to: from + MINUTE } : { from, to }
}
