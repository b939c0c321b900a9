import type { AttendanceKind } from './class-data'
import { type Html, html } from './html'

/** What an area of a chart is filled with: a colour of the page's style, and a pattern, so that none is told by colour alone. */
export function fillOf(kind: AttendanceKind): string {
  return patterns[kind] === undefined ? `var(--${kind})` : `url(#fill-${kind})`
}

/** The definitions of the patterns, once a page. */
export function fillDefinitions(): Html {
  const definitions = Object.entries(patterns).map(([kind, { turn, shape }]) => {
    const color = `var(--${kind})`
    return html`<pattern id="fill-${kind}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(${turn})"><rect width="6" height="6" fill="${color}" fill-opacity="0.35"/><path d="${shape}" fill="${color}"/></pattern>`
  })
  return html`<svg class="fills" aria-hidden="true" width="0" height="0"><defs>${definitions}</defs></svg>`
}

/** A sample of a fill, for legends. */
export function swatch(kind: AttendanceKind): Html {
  return html`<svg class="swatch" aria-hidden="true" width="18" height="12"><rect width="18" height="12" rx="2" fill="${fillOf(kind)}"/></svg>`
}

const patterns: Readonly<Partial<Record<AttendanceKind, { readonly turn: number; readonly shape: string }>>> = {
  late: { turn: 45, shape: 'M0,0h3.4v6h-3.4Z' },
  left_early: { turn: -45, shape: 'M0,0h3.4v6h-3.4Z' },
  partial: { turn: 0, shape: 'M1,1h2.6v2.6h-2.6ZM4,4h2v2h-2Z' },
  unknown: { turn: 0, shape: 'M0,0h1.6v6h-1.6Z' },
  no_show: { turn: 45, shape: 'M0,0h6v1.6h-6ZM0,0h1.6v6h-1.6Z' },
}
