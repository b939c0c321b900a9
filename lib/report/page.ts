import { createHash } from 'node:crypto'
import { fillDefinitions } from './fills'
import { type Content, Html, html } from './html'
import type { Messages } from './messages'
import { script } from './script'
import { style } from './style'

export interface Page {
  /** For the window, without markup. */
  readonly title: string
  readonly header: Html
  readonly sections: readonly Content[]
  readonly footer: Html
}

/** A whole document that asks nobody for anything: its policy allows its own style and its own script alone. */
export function renderPage({ title, header, sections, footer }: Page, texts: Messages): string {
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(style)}'`,
    `script-src '${hashOf(script)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  return html`${doctype}<html lang="${texts.tag}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
${fillDefinitions()}
<header>
${header}</header>
<main>
${sections}</main>
<footer>
${footer}</footer>
<script>${new Html(script)}</script>
</body>
</html>
`.text
}

/** A part of a page under its heading. */
export function section(id: string, title: string, content: Content): Html {
  return html`<section>
<h2 id="${id}">${title}</h2>
${content}</section>
`
}

export function paragraph(content: Content): Html {
  return html`<p>${content}</p>
`
}

const doctype = new Html('<!DOCTYPE html>\n')

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
