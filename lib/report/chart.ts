import { type Drawing, draw } from './draw'
import { type Html, html } from './html'

/** The two widths that charts are drawn for; the style shows one of them. */
export type ChartWidth = 'wide' | 'narrow'

const widths: Readonly<Record<ChartWidth, number>> = { wide: 800, narrow: 340 }

/** A chart, and what it says to those who cannot see it. */
export interface Chart {
  readonly id: string
  readonly title: string
  /** What it shows, in a sentence or two. */
  readonly summary: string
  /** The same chart for a width in pixels. */
  readonly drawing: (width: number, name: ChartWidth) => Drawing
}

/** One SVG for screens and paper and one for phones, each with title and description. */
export async function chartImages({ id, title, summary, drawing }: Chart): Promise<Html> {
  const images: Html[] = []
  for (const name of ['wide', 'narrow'] as const) {
    const drawn = drawing(widths[name], name)
    const [titleId, summaryId] = [`${id}-${name}-title`, `${id}-${name}-summary`]
    images.push(html`<svg class="chart ${name}" role="img" aria-labelledby="${titleId}" aria-describedby="${summaryId}" viewBox="0 0 ${drawn.width} ${drawn.height}" width="${drawn.width}" height="${drawn.height}">
<title id="${titleId}">${title}</title><desc id="${summaryId}">${summary}</desc>
${await draw(drawn)}</svg>
`)
  }
  return html`${images}`
}

/** A chart with its heading, its sentence and its figures as a table. */
export async function chartFigure(
  chart: Chart,
  { note, table }: { note?: Html | string; table?: Html },
): Promise<Html> {
  return html`<figure>
<figcaption>${chart.summary}${note && html` <span class="note">${note}</span>`}</figcaption>
${await chartImages(chart)}${table}</figure>
`
}
