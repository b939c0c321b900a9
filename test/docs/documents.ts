import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const checkout = join(import.meta.dirname, '..', '..')

/** SQL that a document shows: what belongs together, statement by statement. */
export interface ShownSql {
  readonly document: string
  readonly line: number
  readonly statements: readonly string[]
}

/**
 * All SQL in the code blocks of a document: blocks of SQL, `lcic-archive sql "…"`, and what psql is given with `-c`. Blocks
 * that begin with `-- duckdb` are not PostgreSQL's.
 */
export async function sqlIn(document: string): Promise<ShownSql[]> {
  const text = await readFile(join(checkout, document), 'utf8')
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)].flatMap(({ 2: language, 3: code = '', index }) => {
    const line = text.slice(0, index).split('\n').length
    const groups = language === 'sql' ? sqlOfBlock(code) : sqlOfShell(code)
    return groups.map((statements) => ({ document, line, statements }))
  })
}

function sqlOfBlock(code: string): string[][] {
  if (/^\s*-- duckdb/i.test(code)) return []
  // A semicolon ends a statement only where a line ends: functions have others.
  const statements = code.split(/;\s*(?:--[^\n]*)?$/m).filter((statement) => /^\s*\w/m.test(withoutComments(statement)))
  return statements.length > 0 ? [statements] : []
}

function withoutComments(statement: string): string {
  return statement.replace(/--[^\n]*/g, '')
}

function sqlOfShell(code: string): string[][] {
  const commands = code.replace(/\\\n/g, ' ').split('\n')
  return commands.flatMap((command) => {
    const flag = /^\s*psql\b/.test(command) ? /-c "([^"]+)"/g : /\blcic-archive sql (?:--\w+ )*"([^"]+)"/g
    const statements = [...command.matchAll(flag)].map(([, statement = '']) => statement)
    return statements.length > 0 ? [statements] : []
  })
}
