import { type Content, type Html, html } from './html'

export interface Tile {
  readonly label: string
  readonly value: string
  readonly about: Content
}

/** The figures of a report in large type; those that are not known are left out. */
export function tiles(figures: readonly (Tile | false | null | undefined)[]): Html {
  const shown = figures.map(
    (tile) =>
      tile &&
      html`<div><dt>${tile.label}</dt><dd class="value">${tile.value}</dd><dd class="about">${tile.about}</dd></div>
`,
  )
  return html`<dl class="tiles">
${shown}</dl>
`
}

/** Short facts beside each other: name and value. */
export function facts(list: readonly (readonly [name: string, value: Content] | false | null | undefined)[]): Html {
  const shown = list.map(
    (fact) =>
      fact &&
      html`<div><dt>${fact[0]}</dt><dd>${fact[1]}</dd></div>
`,
  )
  return html`<dl class="facts">
${shown}</dl>
`
}
