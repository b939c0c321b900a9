import { type Content, type Html, html } from './html'
import type { Messages } from './messages'

export interface TableColumn<Row> {
  readonly title: string
  readonly value: (row: Row) => Content
  /** Numbers end at the same place. */
  readonly isNumber?: boolean
}

/** A table whose first column names its rows. */
export function dataTable<Row>(caption: string, rows: readonly Row[], columns: readonly TableColumn<Row>[]): Html {
  const heads = columns.map(({ title, isNumber }) => html`<th scope="col"${isNumber && numeric}>${title}</th>`)
  const body = rows.map((row) => {
    const cells = columns.map(({ value, isNumber }, index) =>
      index === 0 ? html`<th scope="row">${value(row)}</th>` : html`<td${isNumber && numeric}>${value(row)}</td>`,
    )
    return html`<tr>${cells}</tr>
`
  })
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table>
<caption class="hidden">${caption}</caption>
<thead><tr>${heads}</tr></thead>
<tbody>
${body}</tbody></table></div>
`
}

/** The figures of a chart, for those who do not see it or want them exactly. */
export function chartTable<Row>(
  texts: Messages,
  caption: string,
  rows: readonly Row[],
  columns: readonly TableColumn<Row>[],
): Html {
  return html`<details><summary>${texts.asTable}</summary>
${dataTable(caption, rows, columns)}</details>
`
}

export interface SortableColumn<Row> extends TableColumn<Row> {
  /** What it is sorted by, where that is not what it shows: a number. */
  readonly key?: (row: Row) => number | null
  /** The order that the first press of the button gives; numbers usually begin with the highest. */
  readonly first?: 'up' | 'down'
}

/**
 * A table that is sorted by the buttons in its heading; at first by its first column. The second column names the rows.
 * Closing tags are left out, as HTML allows: a thousand rows are to stay small.
 */
export function sortableTable<Row>(
  { id, caption, texts }: { readonly id: string; readonly caption: string; readonly texts: Messages },
  rows: readonly Row[],
  columns: readonly SortableColumn<Row>[],
): Html {
  const heads = columns.map(
    ({ title, isNumber, first = isNumber ? 'down' : 'up' }, index) => html`<th scope="col"${isNumber && numeric}${
      index === 0 && html` aria-sort="ascending"`
    }${first === 'down' && html` data-first="down"`} data-title="${title}"><button type="button" data-up="${texts.members.sortedUp(title)}" data-down="${texts.members.sortedDown(title)}">${title}</button></th>
`,
  )
  const body = rows.map((row) => {
    const cells = columns.map(({ value, key }, index) => {
      const sortKey = key?.(row)
      const sort = sortKey !== undefined && sortKey !== null && html` data-s=${sortKey}`
      return index === 1 ? html`<th scope=row${sort}>${value(row)}` : html`<td${sort}>${value(row)}`
    })
    return html`<tr>${cells}
`
  })
  return html`<p class="hidden" role="status" id="${id}-status"></p>
<div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table class="sortable" id="${id}">
<caption class="hidden">${caption}</caption>
<thead><tr>
${heads}</tr></thead>
<tbody>
${body}</tbody></table></div>
`
}

const numeric = html` class="n"`
