import type { AttendanceKind } from './class-data'
import { swatch } from './fills'
import { type Html, html } from './html'

export interface LegendItem {
  readonly fill: AttendanceKind
  readonly label: string
  /** How many there are, formatted. */
  readonly count?: string
}

/** What colours and patterns stand for; read aloud it says the same. */
export function legend(label: string, items: readonly LegendItem[]): Html {
  const shown = items.map(
    ({
      fill,
      label,
      count,
    }) => html`<li>${swatch(fill)}<span>${label}${count !== undefined && html` <b>${count}</b>`}</span></li>
`,
  )
  return html`<ul class="legend" aria-label="${label}">
${shown}</ul>
`
}
