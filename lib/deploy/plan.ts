import type { Artifact } from './bundle'
import { type Deployed, isBeyondRepair, type Place } from './deployed'
import { descriptionOf, readDescription } from './description'
import { checkFixed, differencesOf, environmentOf, publicNetStatus } from './differences'
import { planTriggers } from './plan-triggers'
import type { ScfCall } from './scf-api'
import type { Service, ServiceFunction } from './service'

/** A request, and why it is made. */
export interface Step {
  readonly call: ScfCall
  readonly why: string
}

/** What makes a function on the platform the one of serverless.yml. */
export interface FunctionPlan {
  readonly fn: ServiceFunction
  readonly place: Place
  /** One after the other, each followed by a wait until the function is Active. */
  readonly steps: readonly Step[]
  /** Made once every function is Active. */
  readonly triggerSteps: readonly Step[]
  /** The function is invoked once, and then marked as having been. */
  readonly invocation?: { readonly invoke: Step; readonly mark: Step }
}

/** @param deployed nothing: what the first deployment does */
export function planFunction(
  service: Service,
  fn: ServiceFunction,
  artifact: Pick<Artifact, 'zip' | 'sha256'>,
  deployed: Deployed = { triggers: [] },
): FunctionPlan {
  const place: Place = { FunctionName: fn.name, Namespace: service.namespace }
  const exists = deployed.fn !== undefined && !isBeyondRepair(deployed)
  const steps = exists ? updates(place, fn, artifact, deployed) : creation(place, fn, artifact, deployed)
  const triggerSteps = planTriggers(place, fn, exists ? deployed.triggers : [])
  const isMarked = exists && readDescription(deployed.fn?.Description).isInvoked
  if (!fn.invokedOnDeploy || (isMarked && steps.length === 0)) return { fn, place, steps, triggerSteps }
  return { fn, place, steps, triggerSteps, invocation: invocationOf(place, fn, artifact) }
}

function creation(
  place: Place,
  fn: ServiceFunction,
  { zip, sha256 }: Pick<Artifact, 'zip' | 'sha256'>,
  { fn: failed }: Deployed,
): Step[] {
  const { handler: Handler, runtime: Runtime, memoryMb, timeoutSeconds, role, vpc } = fn
  const parameters = {
    ...place,
    Type: 'Event',
    Description: descriptionOf(fn, { sha256 }),
    Handler,
    Runtime,
    MemorySize: memoryMb,
    Timeout: timeoutSeconds,
    Environment: environmentOf(fn),
    ...(role && { Role: role }),
    ...(vpc && { VpcConfig: { VpcId: vpc.vpcId, SubnetId: vpc.subnetId } }),
    PublicNetConfig: { PublicNetStatus: publicNetStatus(fn), EipConfig: { EipStatus: 'DISABLE' } },
    InstallDependency: 'FALSE',
    CodeSource: 'ZipFile',
    Code: { ZipFile: base64(zip) },
  }
  const steps: Step[] = [{ call: { action: 'CreateFunction', parameters }, why: 'is not there' }, retryStep(place, fn)]
  if (!failed) return steps
  return [{ call: { action: 'DeleteFunction', parameters: { ...place } }, why: `is ${failed.Status}` }, ...steps]
}

function updates(
  place: Place,
  fn: ServiceFunction,
  { zip, sha256 }: Pick<Artifact, 'zip' | 'sha256'>,
  { fn: have, retry }: Deployed,
): Step[] {
  if (!have) return []
  checkFixed(fn, have)
  const failed = have.Status !== undefined && /Failed$/.test(have.Status) ? have.Status : undefined
  const known = readDescription(have.Description)
  const steps: Step[] = []
  const why = [
    ...(failed ? [`it is ${failed}`] : []),
    ...(known.sha256 === sha256 ? [] : [`the code is another (sha256 ${sha256.slice(0, 12)})`]),
    ...(have.Handler === fn.handler ? [] : [`handler ${have.Handler} → ${fn.handler}`]),
  ]
  if (why.length > 0) {
    const parameters = { ...place, Handler: fn.handler, CodeSource: 'ZipFile', ZipFile: base64(zip) }
    steps.push({ call: { action: 'UpdateFunctionCode', parameters }, why: why.join(', ') })
  }
  const { parameters, changes } = differencesOf(fn, have, { everything: failed !== undefined })
  const differs = steps.length > 0 || Object.keys(parameters).length > 0
  // The mark of having been invoked goes with what was invoked.
  const Description = descriptionOf(fn, { sha256, isInvoked: known.isInvoked && !differs })
  const described = Description === have.Description ? {} : { Description }
  if (Object.keys({ ...parameters, ...described }).length > 0) {
    const reasons = changes.length > 0 ? changes : ['the description']
    const call = {
      action: 'UpdateFunctionConfiguration',
      parameters: { ...place, ...parameters, ...described },
    } as const
    steps.push({ call, why: reasons.join(', ') })
  }
  const { retries, maxAgeSeconds } = fn.asyncRetry
  // The first is for errors of the function, a second one that SCF lists is its own.
  if (retry?.RetryConfig[0]?.RetryNum !== retries || retry.MsgTTL !== maxAgeSeconds) steps.push(retryStep(place, fn))
  return steps
}

function retryStep(place: Place, { asyncRetry: { retries, maxAgeSeconds } }: ServiceFunction): Step {
  const AsyncTriggerConfig = { RetryConfig: [{ RetryNum: retries }], MsgTTL: maxAgeSeconds }
  return {
    call: { action: 'UpdateFunctionEventInvokeConfig', parameters: { ...place, AsyncTriggerConfig } },
    why: `asynchronous invocations are repeated ${retries} times, within ${maxAgeSeconds} s`,
  }
}

function invocationOf(
  place: Place,
  fn: ServiceFunction,
  { sha256 }: Pick<Artifact, 'sha256'>,
): { invoke: Step; mark: Step } {
  const Description = descriptionOf(fn, { sha256, isInvoked: true })
  return {
    invoke: { call: invokeCall(place, '{}'), why: 'is to run once before anything else is deployed' },
    mark: {
      call: { action: 'UpdateFunctionConfiguration', parameters: { ...place, Description } },
      why: 'notes that it ran',
    },
  }
}

/** A synchronous invocation. @param event JSON */
export function invokeCall(place: Place, event: string): Extract<ScfCall, { action: 'Invoke' }> {
  const parameters = { ...place, InvocationType: 'RequestResponse', LogType: 'Tail', ClientContext: event }
  return { action: 'Invoke', parameters }
}

/** Every request of a plan, in their order. */
export function stepsOf(plans: readonly FunctionPlan[]): Step[] {
  const ordered = inOrder(plans)
  return [
    ...ordered.flatMap(({ steps, invocation }) => [
      ...steps,
      ...(invocation ? [invocation.invoke, invocation.mark] : []),
    ]),
    ...ordered.flatMap(({ triggerSteps }) => triggerSteps),
  ]
}

/** Those that are invoked on deployment come first. */
export function inOrder(plans: readonly FunctionPlan[]): FunctionPlan[] {
  return [...plans].sort((a, b) => Number(b.fn.invokedOnDeploy) - Number(a.fn.invokedOnDeploy))
}

function base64(zip: Uint8Array): string {
  return Buffer.from(zip).toString('base64')
}
