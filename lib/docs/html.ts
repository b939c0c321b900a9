import { biLogin, biTools, biUrl } from './bi-tools'
import {
  about,
  anchorOf,
  type DescribedRelation,
  type DescribedSchema,
  numberedQuestions,
  questionsAbout,
} from './dictionary'

/** The dictionary as one HTML file that needs nothing besides: for screens light and dark, for paper, for screen readers. */
export function dictionaryAsHtml(schemas: readonly DescribedSchema[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${escaped(about.title)}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>${escaped(about.title)}</h1>
<p>${prose(about.text)}</p>
</header>
<nav aria-label="Contents">
${schemas.map(contentsOf).join('\n')}
<p><a href="#questions">Example questions</a> · <a href="#bi-tools">BI tools</a></p>
</nav>
<main id="content">
${schemas.map(describeSchema).join('\n')}
<section aria-labelledby="questions">
<h2 id="questions">Example questions</h2>
<p>${prose('Each is asked in a test. `lcic-archive sql "…"` asks them, as does any program that is connected.')}</p>
${numberedQuestions
  .map(
    ({ number, anchor, question, sql }) =>
      `<h3 id="${anchor}">${number}. ${escaped(question)}</h3>\n${code(`${sql};`)}`,
  )
  .join('\n')}
</section>
<section aria-labelledby="bi-tools">
<h2 id="bi-tools">BI tools</h2>
<p>${prose('An administrator makes a login that may read schema `analytics`, and nothing else:')}</p>
${code(biLogin)}
<p>The connection string is <code>${escaped(biUrl)}</code>; with <code>verify-full</code> in place of <code>require</code> the server has to prove who it is.</p>
<dl>
${biTools.map(({ title, text }) => `<dt>${escaped(title)}</dt>\n<dd>${prose(text)}</dd>`).join('\n')}
</dl>
</section>
</main>
</body>
</html>
`
}

function contentsOf({ name, relations }: DescribedSchema): string {
  const links = relations.map((relation) => `<a href="#${anchorOf(relation)}">${escaped(relation.name)}</a>`)
  return `<p><a href="#schema-${name}"><strong>${escaped(name)}</strong></a>: ${links.join(', ')}</p>`
}

function describeSchema({ name, about: text, relations }: DescribedSchema): string {
  return `<section aria-labelledby="schema-${name}">
<h2 id="schema-${name}">Schema ${escaped(name)}</h2>
${text ? `<p>${escaped(text)}</p>\n` : ''}${relations.map(describeRelation).join('\n')}
</section>`
}

function describeRelation(relation: DescribedRelation): string {
  const anchor = anchorOf(relation)
  const asked = questionsAbout(relation).map(
    (question) => `<a href="#${question.anchor}">${question.number}. ${escaped(question.question)}</a>`,
  )
  return `<section aria-labelledby="${anchor}">
<h3 id="${anchor}">${relation.schema}.${relation.name}</h3>
<p>${escaped(relation.about)}</p>
<table>
<thead><tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
<tbody>
${relation.columns
  .map(
    ({ name, type, about: text }) =>
      `<tr><th scope="row"><code>${escaped(name)}</code></th><td>${escaped(type)}</td><td>${escaped(text)}</td></tr>`,
  )
  .join('\n')}
</tbody>
</table>${asked.length > 0 ? `\n<p class="asked">Asked in: ${asked.join(' ')}</p>` : ''}
</section>`
}

function code(text: string): string {
  return `<pre><code>${escaped(text)}</code></pre>`
}

/** What stands in backticks is code. */
function prose(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>')
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const style = `
:root{--ink:#1b1f24;--paper:#fff;--dim:#4d5560;--line:#c9d1d9;--shade:#f3f5f7;--link:#0550ae}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--paper:#14171a;--dim:#aab3bd;--line:#3d444d;--shade:#1f2429;--link:#79b8ff}}
html{color:var(--ink);background:var(--paper);font:16px/1.5 system-ui,sans-serif}
body{max-width:72rem;margin:0 auto;padding:1rem}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;background:var(--paper);padding:.5rem}
h1,h2,h3{line-height:1.25}
h2{margin-top:3rem;border-bottom:2px solid var(--line);padding-bottom:.25rem}
h3{margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line);font-weight:400;overflow-wrap:anywhere}
thead th{color:var(--dim);font-weight:600}
td:nth-child(2){color:var(--dim)}
p,dd{overflow-wrap:anywhere}
pre{background:var(--shade);padding:.75rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}
code{font:.9em/1.45 ui-monospace,monospace}
dt{font-weight:600;margin-top:1rem}
dd{margin:0}
.asked{color:var(--dim);font-size:.9em}
@media print{@page{size:A4;margin:15mm}:root{--ink:#000;--paper:#fff;--dim:#333;--line:#999;--shade:#fff;--link:#000}html{font-size:9pt}nav,.skip{display:none}body{padding:0;max-width:none}pre{border:1px solid var(--line)}tr,pre{break-inside:avoid}h2,h3{break-after:avoid}}
`
