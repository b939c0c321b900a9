import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { readConfig } from '../config'
import { type DictionaryFormat, writeDictionary } from '../docs'
import { print, remark } from './output'
import { openDatabase } from './session'
import { writeWhole } from './write-whole'

export function docsCommand(): Command {
  return new Command('docs')
    .description('write the data dictionary: every view and column, and example questions with their SQL')
    .addOption(new Option('--format <format>', 'Markdown or HTML').choices(['md', 'html']).default('md'))
    .option('--out <file>', 'write it to a file instead of stdout')
    .action(async ({ format, out }: { format: DictionaryFormat; out?: string }) => {
      await using session = await openDatabase(readConfig(), { reads: 'analytics' })
      const text = await writeDictionary(session.db, format)
      if (out === undefined) return print(text.trimEnd())
      await writeWhole(resolve(out), text)
      remark(`The data dictionary is in ${out}.`)
    })
}
