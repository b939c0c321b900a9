import { visible } from './html'

/** As much of a text as fits so many columns of a chart. */
export function shortened(text: string, columns: number): string {
  const clean = visible(text)
  if (columnsOf(clean) <= columns) return clean
  let shown = ''
  let taken = 1
  for (const character of charactersOf(clean)) {
    taken += widthOf(character)
    if (taken > columns) break
    shown += character
  }
  return `${shown.trimEnd()}…`
}

/** How many columns a text takes; wide characters take two. */
export function columnsOf(text: string): number {
  return charactersOf(text).reduce((sum, character) => sum + widthOf(character), 0)
}

function charactersOf(text: string): string[] {
  // Made here: the first one takes long, and most commands need none.
  return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment)
}

function widthOf(character: string): number {
  return /[\u1100-\uffdc]|\p{Extended_Pictographic}/u.test(character) ? 2 : 1
}
