import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readConfig } from '../config'
import { ArchiveError, UsageError } from '../errors'
import type { Observer } from './apply'
import type { Place } from './deployed'
import { type Artifacts, deployService, planDeployment, planFirstDeployment, readUrls } from './deployment'
import type { CommandOptions, Writers } from './framework'
import { InterruptedError, listenForInterruption } from './interruption'
import { readInvocation, requireSuccess } from './invocation'
import { readLogs } from './logs'
import { type FunctionPlan, invokeCall } from './plan'
import { removeService } from './remove'
import { callbackLines, planLines, stepLine } from './report'
import { createScfApi, type Pacing, type ScfApi, usualPacing } from './scf-api'
import type { Service, ServiceFunction } from './service'

/** What a command works on. */
export interface CommandContext {
  readonly service: Service
  readonly writers: Writers
}

/** A look that nobody waits long for. */
const briefly: Pacing = { ...usualPacing, retries: 0, timeoutSeconds: 3 }
const BRIEFLY_MS = 10_000

/** What a deployment would do: compared with what is deployed where that can be read, otherwise all that a first one does. */
export async function previewDeployment(
  { service, writers }: CommandContext,
  artifacts: Artifacts,
): Promise<{ plans: FunctionPlan[]; isCompared: boolean }> {
  try {
    const api = openApi(service, writers, { pacing: briefly, signal: AbortSignal.timeout(BRIEFLY_MS) })
    return { plans: await planDeployment(api, service, artifacts, { settled: false }), isCompared: true }
  } catch (error) {
    const reason = error instanceof ArchiveError ? `${error.message} [${error.code}]` : String(error)
    writers.log.notice(`Not compared with what is deployed: ${reason}`)
    return { plans: planFirstDeployment(service, artifacts), isCompared: false }
  }
}

export function tellPreview({ writers }: CommandContext, plans: readonly FunctionPlan[], isCompared: boolean): void {
  writers.writeText(`${isCompared ? 'A deployment would change' : 'A first deployment would do'}:`)
  writers.writeText(planLines(plans).join('\n'))
}

/** `serverless deploy` */
export async function deploy(
  { service, writers }: CommandContext,
  artifacts: Artifacts,
  onPlanned?: (plans: readonly FunctionPlan[]) => Promise<void>,
): Promise<void> {
  using interruption = listenForInterruption(() => writers.log.notice('Stopping; once more to stop at once.'))
  const api = openApi(service, writers, interruption)
  const progress = writers.progress.get('deploy')
  try {
    const changes = await deployService(api, service, artifacts, observerOf(writers), onPlanned)
    progress.remove()
    writers.log.success(
      changes === 0 ? 'Everything is as it should be: nothing was changed.' : `Deployed with ${changes} requests.`,
    )
    const sdkAppIds = readConfig().sdkAppIds.map(String)
    for (const { key, url } of await readUrls(api, service)) {
      if (url) writers.writeText(callbackLines(url, sdkAppIds).join('\n'))
      else writers.log.notice(`The URL of ${key} is not ready yet: deploy again in a minute, or see the console.`)
    }
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error
    writers.log.notice('Stopped on request; deploy again, which goes on from here.')
    process.exitCode = 130
  } finally {
    progress.remove()
  }
}

/** `serverless remove` */
export async function remove({ service, writers }: CommandContext): Promise<void> {
  const api = openApi(service, writers)
  let removed = 0
  await removeService(api, service, ({ action, parameters }) => {
    if (action === 'DeleteFunction') removed++
    const trigger = 'TriggerName' in parameters ? ` ${parameters.TriggerName}` : ''
    writers.log.notice(`${action}: ${parameters.FunctionName}${trigger}`)
  })
  writers.log.success(
    removed === 0 ? 'There was nothing to remove.' : `Removed ${removed} functions. The database is as it was.`,
  )
}

/** `serverless invoke -f NAME [-d JSON | --path FILE]` */
export async function invoke(context: CommandContext, options: CommandOptions, directory: string): Promise<void> {
  await invokeFunction(context, findFunction(context.service, options.function), await eventOf(options, directory))
}

/** `serverless migrate`: what deployments do first. */
export async function migrate(context: CommandContext): Promise<void> {
  for (const fn of context.service.functions.filter(({ invokedOnDeploy }) => invokedOnDeploy)) {
    await invokeFunction(context, fn, '{}')
  }
}

async function invokeFunction({ service, writers }: CommandContext, fn: ServiceFunction, event: string): Promise<void> {
  const api = openApi(service, writers)
  const { parameters } = invokeCall(placeOf(service, fn), event)
  const invocation = readInvocation(await api.request('Invoke', parameters))
  if (invocation.log.trim()) writers.log.notice(invocation.log.trim())
  if (invocation.answer) writers.writeText(invocation.answer)
  requireSuccess(fn.name, { ...invocation, log: '' })
}

/** `serverless logs -f NAME [--startTime 30m] [--filter failed]` */
export async function logs({ service, writers }: CommandContext, options: CommandOptions): Promise<void> {
  if (options.tail)
    throw new UsageError(
      'E_USAGE',
      '--tail is not there: SCF has no stream of logs. Ask again, or watch them in the console (Cloud Log Service).',
    )
  if (options.filter !== undefined && options.filter !== 'failed') {
    throw new UsageError('E_USAGE', '--filter takes `failed` alone; the console (Cloud Log Service) searches logs.')
  }
  const fn = findFunction(service, options.function)
  const api = openApi(service, writers)
  const { startTime: since, filter } = options
  const entries = await readLogs(api, placeOf(service, fn), {
    ...(since && { since }),
    failedOnly: filter === 'failed',
  })
  if (entries.length > 0) return writers.writeText(entries.join('\n'))
  writers.log.notice(
    `SCF lists no invocation of ${fn.name} in that time. Functions that write to a topic of their own in Cloud Log Service have their logs there: console, Cloud Log Service.`,
  )
}

function openApi(service: Service, { log }: Writers, options: { pacing?: Pacing; signal?: AbortSignal } = {}): ScfApi {
  return createScfApi({
    scf: readConfig().scf,
    region: service.region,
    onRetry: ({ action, name, code }) => log.notice(`${action} of ${name}: ${code}; once more …`),
    ...(options.pacing && { pacing: options.pacing }),
    signal: options.signal,
  })
}

function observerOf({ log, progress }: Writers): Observer {
  const line = progress.get('deploy')
  const told = new Map<string, string>()
  return {
    step(step) {
      line.remove()
      log.notice(`${step.call.parameters.FunctionName} ${stepLine(step)}`)
    },
    waiting(name, status) {
      line.update(`${name} is ${status} …`)
      // Where there is no terminal, a line for each status is enough.
      if (!process.stderr.isTTY && told.get(name) !== status) log.notice(`${name} is ${status} …`)
      told.set(name, status)
    },
    answered(name, answer) {
      log.notice(`${name} answered ${answer}`)
    },
  }
}

function placeOf({ namespace }: Service, { name }: ServiceFunction): Place {
  return { FunctionName: name, Namespace: namespace }
}

function findFunction({ functions }: Service, wanted: string | undefined): ServiceFunction {
  const found = functions.find(({ key, name }) => key === wanted || name === wanted)
  if (found) return found
  const known = functions.map(({ key }) => key).join(', ')
  throw new UsageError('E_USAGE', `There is no function ${wanted ?? ''}; -f takes one of ${known}.`)
}

async function eventOf({ data, path, raw }: CommandOptions, directory: string): Promise<string> {
  const text = data ?? (path === undefined ? '{}' : await eventIn(resolve(directory, path)))
  if (raw) return JSON.stringify(text)
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    throw new UsageError('E_USAGE', `The event is no JSON; for example -d '{"RoomIds":["100000001"]}'`)
  }
}

async function eventIn(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new UsageError('E_USAGE', `--path ${path} cannot be read.`, { cause: error })
  }
}
