import { type Question, questions } from './questions'
import type { DescribedRelation, DescribedSchema } from './read-catalogue'

/** What the dictionary says before all else. */
export const about = {
  title: 'Data dictionary of lcic-archive',
  text:
    'Made by `lcic-archive docs` from the comments in the database. Schema `analytics` is what dashboards and reports build on: its views hold neither names nor addresses, ' +
    'and columns are added to them, not renamed. Schema `analytics_pii` holds names, addresses and places, and is granted apart. The tables of schema `archive` may change.',
}

/** A question with its number and the name it is linked by. */
export interface NumberedQuestion extends Question {
  readonly number: number
  readonly anchor: string
}

export const numberedQuestions: readonly NumberedQuestion[] = questions.map((question, index) => ({
  question: question.question,
  sql: question.sql.trim(),
  number: index + 1,
  anchor: `question-${index + 1}`,
}))

/** Names of tables recur in other schemas. */
export function anchorOf({ schema, name }: DescribedRelation): string {
  return `${schema}-${name}`
}

/** The questions whose SQL reads a view. */
export function questionsAbout({ schema, name }: DescribedRelation): NumberedQuestion[] {
  const mention = new RegExp(`\\b${schema}\\.${name}\\b`)
  return numberedQuestions.filter(({ sql }) => mention.test(sql))
}

export type { DescribedRelation, DescribedSchema }
