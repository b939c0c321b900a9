import { biLogin, biTools, biUrl } from './bi-tools'
import {
  about,
  anchorOf,
  type DescribedRelation,
  type DescribedSchema,
  numberedQuestions,
  questionsAbout,
} from './dictionary'

/** The dictionary as Markdown, as GitHub and its like show it. */
export function dictionaryAsMarkdown(schemas: readonly DescribedSchema[]): string {
  return `${[
    `# ${about.title}`,
    about.text,
    contents(schemas),
    ...schemas.flatMap(describeSchema),
    '## Example questions',
    'Each is asked in a test. `lcic-archive sql "…"` asks them, as does any program that is connected.',
    ...numberedQuestions.flatMap(({ number, anchor, question, sql }) => [
      `<a id="${anchor}"></a>`,
      `### ${number}. ${escaped(question)}`,
      `\`\`\`sql\n${sql};\n\`\`\``,
    ]),
    '## BI tools',
    'An administrator makes a login that may read schema `analytics`, and nothing else:',
    `\`\`\`sh\n${biLogin}\n\`\`\``,
    `The connection string is \`${biUrl}\`; with \`verify-full\` in place of \`require\` the server has to prove who it is.`,
    ...biTools.map(({ title, text }) => `**${title}.** ${text}`),
  ].join('\n\n')}\n`
}

function contents(schemas: readonly DescribedSchema[]): string {
  const lines = schemas.map(({ name, relations }) => {
    const links = relations.map((relation) => `[${relation.name}](#${anchorOf(relation)})`)
    return `- \`${name}\`: ${links.join(', ')}`
  })
  return [...lines, '- [Example questions](#example-questions)', '- [BI tools](#bi-tools)'].join('\n')
}

function describeSchema({ name, about: text, relations }: DescribedSchema): string[] {
  return [`## Schema ${name}`, ...(text ? [escaped(text)] : []), ...relations.flatMap(describeRelation)]
}

function describeRelation(relation: DescribedRelation): string[] {
  const asked = questionsAbout(relation)
  return [
    `<a id="${anchorOf(relation)}"></a>`,
    `### ${relation.schema}.${relation.name}`,
    escaped(relation.about),
    [
      '| column | type | meaning |',
      '|---|---|---|',
      ...relation.columns.map((column) => `| \`${column.name}\` | ${column.type} | ${escaped(column.about)} |`),
    ].join('\n'),
    ...(asked.length > 0
      ? [
          `Asked in: ${asked.map(({ number, anchor, question }) => `[${number}. ${escaped(question)}](#${anchor})`).join(' ')}`,
        ]
      : []),
  ]
}

function escaped(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[|<*[\]]/g, (character) => `\\${character}`)
}
