import type { TopLevelSpec } from 'vega-lite'
import { Html } from './html'

/** A drawing without its frame: the size is that of the whole, with room for axes. */
export interface Drawing {
  readonly width: number
  readonly height: number
  readonly padding: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number }
  /** What to draw. A colour is a custom property of the page's style, or one of its patterns: so charts follow its theme. */
  readonly layer: readonly object[]
  readonly resolve?: object
}

/**
 * Has Vega draw, and keeps only what is seen: the marks of a thousand members are to stay small.
 * Vega is loaded when the first chart is drawn; no other command waits for it.
 *
 * @returns the inside of an SVG element
 */
export async function draw({ width, height, padding, layer, resolve }: Drawing): Promise<Html> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')])
  const spec = {
    width: width - padding.left - padding.right,
    height: height - padding.top - padding.bottom,
    padding,
    autosize: 'none',
    background: null,
    layer,
    ...(resolve && { resolve }),
    config,
  }
  const { spec: compiled } = compile(spec as unknown as TopLevelSpec)
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logLevel: vega.Error })
  try {
    return new Html(seenOnly(await view.toSVG()))
  } finally {
    view.finalize()
  }
}

const config = {
  font: 'inherit',
  aria: false,
  view: { stroke: null },
  text: { fill: 'var(--ink)', fontSize: 11, font: 'inherit' },
  axis: {
    labelColor: 'var(--soft)',
    labelFontSize: 11,
    labelFont: 'inherit',
    labelOverlap: false,
    labelLimit: 0,
    titleColor: 'var(--soft)',
    titleFontSize: 11,
    titleFont: 'inherit',
    titleFontWeight: 400,
    domainColor: 'var(--line)',
    gridColor: 'var(--faint)',
    tickColor: 'var(--line)',
    tickSize: 4,
  },
}

function seenOnly(svg: string): string {
  return svg
    .replace(/^<svg[^>]*>/, '')
    .replace(/<\/svg>$/, '')
    .replace(/<path [^>]*(?:class="background"|display="none")[^>]*\/>/g, '')
    .replace(/<text [^>]* opacity="0"[^>]*>[^<]*<\/text>/g, '')
    .replace(/<[^>]+>/g, withSeenAttributes)
    .replace(/<g><\/g>/g, '')
}

/** Texts between tags may hold what looks like an attribute. */
function withSeenAttributes(tag: string): string {
  return tag
    .replace(/ (?:role|aria-[a-z]+|pointer-events|font-family)="[^"]*"/g, '')
    .replace(/ (?:opacity|stroke-width|stroke-opacity|fill-opacity)="1"/g, '')
    .replace(/ class="mark-(\w+) role-([\w-]+)[^"]*"/g, (_, mark, role) =>
      role === 'mark' ? ` class="mark-${mark}"` : '',
    )
    .replace(/ (?:d|transform|x2|y2|x|y|width|height)="[^"]*"/g, (attribute) =>
      attribute.replace(/-?\d+\.\d+/g, (number) => String(Math.round(Number(number) * 10) / 10)),
    )
}
