/** The look of a page: on screens of any width, light and dark, and on A4. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #fff; --card: #f4f6f8; --ink: #1d232a; --soft: #58626d; --line: #b9c2cb; --faint: #e4e8ec; --accent: #0b5cad;
  --present: #3a75b3; --late: #b26a00; --left_early: #8b4fa8; --partial: #c2412d; --no_show: #a3243b;
  --staff: #737d87; --unknown: #737d87;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --card: #1c2229; --ink: #e6eaee; --soft: #a3adb8; --line: #4a545f; --faint: #2a323b; --accent: #7cb8f5;
    --present: #69abe8; --late: #e3a244; --left_early: #c79be3; --partial: #f58b70; --no_show: #f5859a;
    --staff: #8a96a3; --unknown: #8a96a3;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 960px; padding: 32px 24px 48px; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif;
  overflow-wrap: anywhere; -webkit-text-size-adjust: 100%;
}
h1 { margin: 0 0 12px; font-size: 28px; line-height: 1.25; letter-spacing: -0.01em; text-wrap: balance; }
h2 { margin: 0 0 8px; font-size: 19px; line-height: 1.3; }
a { color: var(--accent); }
h3 { margin: 20px 0 6px; font-size: 15px; }
p { margin: 0 0 10px; }
.eyebrow { margin: 0 0 4px; color: var(--soft); font-size: 14px; font-weight: 600; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 0; }
.facts div { display: flex; gap: 6px; }
.facts dt { color: var(--soft); white-space: nowrap; }
.facts dd { margin: 0; }
section { margin-top: 40px; }
.note, footer, figcaption { color: var(--soft); font-size: 14px; }
.callout { margin: 16px 0 0; padding: 10px 14px; border-left: 4px solid var(--late); background: var(--card); border-radius: 4px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(126px, 1fr)); gap: 10px; margin: 12px 0 20px; padding: 0; }
.tiles div { display: flex; flex-direction: column; padding: 10px 12px; background: var(--card); border-radius: 8px; break-inside: avoid; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles .value { margin: 0; font-size: 25px; font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tiles .about { margin: 0; color: var(--soft); font-size: 12.5px; line-height: 1.35; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 12px; padding: 0; list-style: none; font-size: 14px; }
.legend li { display: flex; align-items: center; gap: 7px; }
.legend b { font-weight: 600; font-variant-numeric: tabular-nums; }
.swatch { flex: none; }
.fills { position: absolute; }
figure { margin: 0 0 12px; break-inside: avoid; }
figcaption { margin-bottom: 8px; }
figcaption .say { color: var(--ink); font-size: 15px; }
.chart { display: block; width: 100%; height: auto; font-family: inherit; }
.chart text { unicode-bidi: plaintext; font-variant-numeric: tabular-nums; }
.chart.narrow { display: none; }
details { margin: 8px 0 0; font-size: 14px; }
summary { color: var(--accent); cursor: pointer; padding: 2px 0; width: fit-content; }
.scroll { overflow-x: auto; margin: 8px 0 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.4; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 6px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--faint); overflow-wrap: normal; }
tbody th { font-weight: 500; min-width: 112px; overflow-wrap: anywhere; }
tbody small { color: var(--soft); font-size: 12px; font-weight: 400; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; border-bottom: 1px solid var(--line); }
.n { text-align: right; white-space: nowrap; }
.sortable td { white-space: nowrap; }
.sortable button { all: unset; cursor: pointer; padding: 4px 0; white-space: nowrap; }
.sortable button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.sortable button { text-decoration: underline dotted var(--line); text-underline-offset: 4px; }
.sortable button:hover, .sortable [aria-sort] button { color: var(--ink); }
.sortable [aria-sort] button { text-decoration: none; }
.sortable [aria-sort="ascending"] button::after { content: " ↑"; }
.sortable [aria-sort="descending"] button::after { content: " ↓"; }
.members td { text-align: right; }
.members td:nth-child(3) { text-align: left; }
.members td:nth-child(1) { color: var(--soft); }
.risk td:nth-child(n + 5):nth-child(-n + 8) { text-align: right; }
.risk td:nth-child(1) { color: var(--soft); }
.risk td:nth-child(3), .risk td:nth-child(9) { white-space: normal; min-width: 104px; }
.risk td:nth-child(9) { min-width: 200px; }
.columns { columns: 240px; column-gap: 32px; margin: 8px 0 0; padding-left: 0; list-style: none; font-size: 14px; }
.columns li { break-inside: avoid; padding: 2px 0; }
.bad { color: var(--partial); font-weight: 600; }
.hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
footer { margin-top: 40px; padding-top: 12px; border-top: 1px solid var(--line); }
footer p { margin: 0 0 2px; }
@media screen and (max-width: 640px) {
  body { padding: 20px 16px 32px; }
  h1 { font-size: 23px; }
  section { margin-top: 32px; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .chart.wide { display: none; }
  .chart.narrow { display: block; }
}
@media print {
  @page { size: A4; margin: 14mm 13mm 16mm; @bottom-center { content: counter(page) " / " counter(pages); font-size: 8pt; color: #58626d; } }
  html { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h1 { font-size: 19pt; }
  h2 { font-size: 13pt; break-after: avoid; }
  section { margin-top: 20pt; }
  .tiles { grid-template-columns: repeat(6, 1fr); gap: 6pt; }
  .tiles .value { font-size: 15pt; }
  .tiles .about { font-size: 8pt; }
  .note, footer, figcaption, .legend { font-size: 9pt; }
  .note, .legend { break-after: avoid; }
  figcaption .say { font-size: 10pt; }
  details, .on-screen { display: none; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; line-height: 1.25; }
  th, td { padding: 1.5pt 3pt; }
  tr { break-inside: avoid; }
  .sortable button { display: none; }
  .sortable thead th::before { content: attr(data-title); white-space: nowrap; }
}
`
