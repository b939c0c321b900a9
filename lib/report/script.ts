/**
 * Sorts a table by the column whose button is pressed. Numbers come before names, and what is not known after both. It is
 * JavaScript for browsers, kept as text, and put into pages whose policy knows its hash.
 */
export const script = `
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0]
  const status = document.getElementById(table.id + '-status')
  const keyOf = (row, column) => {
    const cell = row.cells[column]
    const text = cell.dataset.s ?? cell.textContent.trim()
    if (text === '' || text === '–') return null
    if (cell.dataset.s === undefined && !table.tHead.rows[0].cells[column].classList.contains('n')) return text
    return Number(text.replace(/[^\\d.-]/g, ''))
  }
  const compare = (a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), document.documentElement.lang, { numeric: true })
  table.tHead.addEventListener('click', (event) => {
    const button = event.target.closest('button')
    if (!button) return
    const head = button.closest('th')
    const sorted = head.getAttribute('aria-sort')
    const down = sorted ? sorted === 'ascending' : head.dataset.first === 'down'
    const keyed = [...body.rows].map((row) => [keyOf(row, head.cellIndex), row])
    keyed.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : down ? compare(b, a) : compare(a, b))
    body.append(...keyed.map(([, row]) => row))
    for (const other of head.parentElement.cells) other.removeAttribute('aria-sort')
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending')
    status.textContent = button.dataset[down ? 'down' : 'up']
  })
}
`
