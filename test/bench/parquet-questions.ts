import { join } from 'node:path'
import { askDuckDb } from './ask-duckdb'
import { quantile } from './quantile'
import { type ExportCost, type ExportTask, runExport } from './run-export'

/** What the files took, and how long DuckDB takes to answer from them. */
export interface ParquetCost {
  readonly cost: ExportCost
  readonly answers: readonly { readonly question: string; readonly ms: number }[]
}

/** Exports the archive and asks the files for attendance, of a week and of all time. */
export async function askParquet(
  task: ExportTask & { cpuMs: () => Promise<number> },
  { week, runs }: { week: string; runs: number },
): Promise<ParquetCost> {
  const cost = await runExport(task)
  const files = join(task.out, 'fact_attendance', '*', '*.parquet')
  const from = `read_parquet('${files}', hive_partitioning = true)`
  const figures = `count(*) filter (where attended) as attended, count(*) filter (where is_late) as late,
    avg(present_ratio) as present_ratio, avg(engagement_score) as engagement`
  const ofWeek = `start_date >= date '${week}' and start_date < date '${week}' + 7`
  const questions = {
    'one week, by day': `select start_date, ${figures} from ${from} where ${ofWeek} group by start_date order by start_date`,
    'all time, by week': `select week_start, ${figures} from ${from} group by week_start order by week_start`,
    'all time, by student': `select user_id, ${figures} from ${from} group by user_id order by attended limit 100`,
  }
  const answers = []
  for (const [question, query] of Object.entries(questions)) {
    const times = []
    for (let run = 0; run < runs; run++) {
      const begin = performance.now()
      await askDuckDb(query)
      times.push(performance.now() - begin)
    }
    answers.push({ question, ms: quantile(times, 0.5) })
  }
  return { cost, answers }
}
