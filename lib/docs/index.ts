import type { Kysely } from 'kysely'
import type { Database } from '../db/tables'
import { dictionaryAsHtml } from './html'
import { dictionaryAsMarkdown } from './markdown'
import { readCatalogue } from './read-catalogue'

export type DictionaryFormat = 'md' | 'html'

/** The data dictionary, from the comments in the database. Equal catalogues make equal texts. */
export async function writeDictionary(db: Kysely<Database>, format: DictionaryFormat): Promise<string> {
  const schemas = await readCatalogue(db)
  return format === 'md' ? dictionaryAsMarkdown(schemas) : dictionaryAsHtml(schemas)
}
