import { applyPlans, type Observer } from './apply'
import type { Artifact } from './bundle'
import { listTriggers, type Place, readDeployed } from './deployed'
import { type FunctionPlan, planFunction, stepsOf } from './plan'
import type { ScfApi } from './scf-api'
import type { Service } from './service'
import { isOnPublicNet, urlOf } from './triggers'

/** The code of each function, by its key. */
export type Artifacts = ReadonlyMap<string, Artifact>

/** What the first deployment of a service does. */
export function planFirstDeployment(service: Service, artifacts: Artifacts): FunctionPlan[] {
  return service.functions.map((fn) => planFunction(service, fn, artifactOf(artifacts, fn.key)))
}

/**
 * What has to change on the platform.
 *
 * @param settled waits for functions that are just being changed
 */
export async function planDeployment(
  api: ScfApi,
  service: Service,
  artifacts: Artifacts,
  { settled, observer }: { settled: boolean; observer?: Observer },
): Promise<FunctionPlan[]> {
  const plans = service.functions.map(async (fn) => {
    const onStatus = (status: string) => observer?.waiting(fn.name, status)
    const deployed = await readDeployed(api, service, fn, { settled, onStatus })
    return planFunction(service, fn, artifactOf(artifacts, fn.key), deployed)
  })
  // All of them, so that none is still asking when the first failure is told.
  const outcomes = await Promise.allSettled(plans)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}

/**
 * Brings the platform to what serverless.yml says.
 *
 * @param onPlanned told what will be done, before it is
 * @returns how many requests changed something
 */
export async function deployService(
  api: ScfApi,
  service: Service,
  artifacts: Artifacts,
  observer: Observer,
  onPlanned?: (plans: readonly FunctionPlan[]) => Promise<void>,
): Promise<number> {
  const plans = await planDeployment(api, service, artifacts, { settled: true, observer })
  await onPlanned?.(plans)
  await applyPlans(api, plans, observer)
  return stepsOf(plans).length
}

/** How often a new URL is looked for: the platform gives it a moment after the trigger. */
const URL_LOOKS = 15

/** The public addresses of the functions that have a URL; none for one that the platform does not tell in time. */
export async function readUrls(api: ScfApi, service: Service): Promise<{ key: string; url?: string }[]> {
  const urls = []
  for (const { key, name, triggers } of service.functions) {
    const isPublic = triggers.some(({ type, description }) => type === 'http' && isOnPublicNet(description))
    if (!isPublic) continue
    const url = await findUrl(api, { FunctionName: name, Namespace: service.namespace })
    urls.push({ key, ...(url && { url }) })
  }
  return urls
}

async function findUrl(api: ScfApi, place: Place): Promise<string | undefined> {
  for (let look = 1; ; look++) {
    const listed = await listTriggers(api, place)
    const url = listed.flatMap(({ Type, TriggerDesc = '' }) => (Type === 'http' ? (urlOf(TriggerDesc) ?? []) : []))[0]
    if (url !== undefined || look === URL_LOOKS) return url
    await api.pause(api.pacing.pollMs)
  }
}

function artifactOf(artifacts: Artifacts, key: string): Artifact {
  const artifact = artifacts.get(key)
  if (!artifact) throw new TypeError(`The function ${key} has not been bundled.`)
  return artifact
}
