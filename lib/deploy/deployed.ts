import { DeployError, isNotFound } from './errors'
import type { ScfApi, ScfResponse } from './scf-api'
import type { Service, ServiceFunction } from './service'

/** What the platform has of a function. */
export interface Deployed {
  /** Absent: there is no such function. */
  readonly fn?: ScfResponse<'GetFunction'>
  readonly triggers: NonNullable<ScfResponse<'ListTriggers'>['Triggers']>
  readonly retry?: ScfResponse<'GetFunctionEventInvokeConfig'>['AsyncTriggerConfig']
}

/** On the way to another status. Source: SCF, function status. */
const passing = ['Creating', 'Updating', 'Publishing', 'Deleting']

/** Of such a function nothing can be kept: it has to be deleted and created anew. Source: SCF, function status. */
export function isBeyondRepair({ fn }: Deployed): boolean {
  return fn?.Status === 'CreateFailed' || fn?.Status === 'DeleteFailed'
}

/** Told what a function is still waiting for. */
export type OnStatus = (status: string) => void

export interface ReadOptions {
  /** Waits until the function is in no passing status. */
  readonly settled: boolean
  readonly onStatus?: OnStatus
}

/** Reads a function, its triggers and its retry policy. */
export async function readDeployed(
  api: ScfApi,
  { namespace }: Service,
  { name }: ServiceFunction,
  { settled, onStatus }: ReadOptions,
): Promise<Deployed> {
  const place = { FunctionName: name, Namespace: namespace }
  const fn = settled ? await untilSettled(api, place, onStatus) : await findFunction(api, place)
  if (!fn || isBeyondRepair({ fn, triggers: [] })) return { ...(fn && { fn }), triggers: [] }
  const { AsyncTriggerConfig: retry } = await api.request('GetFunctionEventInvokeConfig', place)
  return { fn, triggers: await listTriggers(api, place), retry }
}

/** Names a function to the API. */
export interface Place {
  readonly FunctionName: string
  readonly Namespace: string
}

async function findFunction(api: ScfApi, place: Place): Promise<ScfResponse<'GetFunction'> | undefined> {
  try {
    return await api.request('GetFunction', { ...place, ShowCode: 'FALSE' })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

const TRIGGERS_PAGE = 100

export async function listTriggers(api: ScfApi, place: Place): Promise<Deployed['triggers']> {
  const triggers: Deployed['triggers'] = []
  for (;;) {
    const page = await api.request('ListTriggers', { ...place, Offset: triggers.length, Limit: TRIGGERS_PAGE })
    triggers.push(...(page.Triggers ?? []))
    if (!page.Triggers?.length || triggers.length >= (page.TotalCount ?? 0)) return triggers
  }
}

/**
 * Waits until a function is in no passing status. @returns undefined where it is gone
 *
 * @throws {DeployError} `E_NOT_SETTLED` after the API's patience
 */
export async function untilSettled(
  api: ScfApi,
  place: Place,
  onStatus?: OnStatus,
): Promise<ScfResponse<'GetFunction'> | undefined> {
  const { pollMs, patienceMs } = api.pacing
  const giveUpAt = performance.now() + patienceMs
  for (;;) {
    const fn = await findFunction(api, place)
    const status = fn?.Status ?? ''
    if (!fn || !passing.includes(status)) return fn
    if (performance.now() + pollMs > giveUpAt) {
      throw new DeployError(
        'E_NOT_SETTLED',
        `${place.FunctionName} is still ${status} after ${Math.round(patienceMs / 1000)} s. It may yet become Active: deploy again in a few minutes, which goes on from here.`,
      )
    }
    onStatus?.(status)
    await api.pause(pollMs)
  }
}

/** Waits until a function is Active. @throws {DeployError} `E_FUNCTION_FAILED` with the platform's reasons, `E_NOT_SETTLED` */
export async function untilActive(api: ScfApi, place: Place, onStatus?: OnStatus): Promise<void> {
  const fn = await untilSettled(api, place, onStatus)
  if (fn?.Status === 'Active') return
  const reasons = (fn?.StatusReasons ?? []).map(({ ErrorCode, ErrorMessage }) => `${ErrorMessage} [${ErrorCode}]`)
  const reason = reasons.join('; ') || fn?.StatusDesc || 'SCF gives no reason'
  throw new DeployError(
    'E_FUNCTION_FAILED',
    `${place.FunctionName} is ${fn?.Status ?? 'gone'}: ${reason}. Mend that and deploy again: it goes on from here.`,
  )
}
