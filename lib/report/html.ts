/** Markup that needs no more escaping. */
export class Html {
  constructor(readonly text: string) {}
}

export type Content = string | number | Html | undefined | null | false | readonly Content[]

/** Markup in which every value that is not markup itself is escaped: what the database holds can open no tag and no quote. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  let text = strings[0] ?? ''
  values.forEach((value, index) => {
    text += markupOf(value) + (strings[index + 1] ?? '')
  })
  return new Html(text)
}

/** Text that came from outside, set apart: its direction of writing ends with it. */
export function isolated(text: string): Html {
  return html`<bdi>${text}</bdi>`
}

/** Without control characters, and without those that change the direction of writing and may not change it back. */
export function visible(text: string): string {
  return text.replace(/\s+/gu, ' ').replace(/\p{Cc}|[\u{202A}-\u{202E}\u{2066}-\u{2069}]/gu, '')
}

function markupOf(value: Content): string {
  if (value instanceof Html) return value.text
  if (Array.isArray(value)) return value.map(markupOf).join('')
  if (value === undefined || value === null || value === false) return ''
  return visible(String(value)).replace(/[&<>"']/g, (character) => entities.get(character) ?? '')
}

const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])
