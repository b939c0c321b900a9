import { untilActive, untilSettled } from './deployed'
import { isBusy, isInUse, isNotFound } from './errors'
import { readInvocation, requireSuccess } from './invocation'
import { type FunctionPlan, inOrder, type Step } from './plan'
import type { ScfApi, ScfCall } from './scf-api'

/** Told what a deployment does. */
export interface Observer {
  /** A request that is about to be made. */
  step(step: Step): void
  /** What is waited for. */
  waiting(name: string, status: string): void
  /** What a function that was invoked answered. */
  answered(name: string, answer: string): void
}

/**
 * Makes the requests of a plan: functions that are invoked on deployment first, and nothing else if that fails; then the other
 * functions; triggers last. However it ends, planning and applying again goes on from there.
 *
 * @throws {DeployError}
 * @throws the reason of the API's signal
 */
export async function applyPlans(api: ScfApi, plans: readonly FunctionPlan[], observer: Observer): Promise<void> {
  const ordered = inOrder(plans)
  for (const plan of ordered) {
    for (const step of plan.steps) await perform(api, plan, step, observer)
    if (plan.invocation) {
      const { invoke, mark } = plan.invocation
      const { name } = plan.fn
      observer.step(invoke)
      if (invoke.call.action === 'Invoke') {
        const invocation = readInvocation(await api.request('Invoke', invoke.call.parameters))
        requireSuccess(name, invocation, 'Mend that and deploy again: no other function was touched.')
        observer.answered(name, invocation.answer)
      }
      await perform(api, plan, mark, observer)
    }
  }
  for (const plan of ordered) {
    for (const step of plan.triggerSteps) {
      observer.step(step)
      await sendSettled(api, plan, step.call, observer)
    }
  }
}

async function perform(api: ScfApi, plan: FunctionPlan, step: Step, observer: Observer): Promise<void> {
  const { place, fn } = plan
  observer.step(step)
  await sendSettled(api, plan, step.call, observer)
  const onStatus = (status: string) => observer.waiting(fn.name, status)
  if (step.call.action === 'DeleteFunction') await untilSettled(api, place, onStatus)
  else if (step.call.action !== 'UpdateFunctionEventInvokeConfig') await untilActive(api, place, onStatus)
}

/** A function that is just being changed takes no other change: that is waited for, once. */
async function sendSettled(api: ScfApi, { place, fn }: FunctionPlan, call: ScfCall, observer: Observer): Promise<void> {
  try {
    await send(api, call)
  } catch (error) {
    if (!isBusy(error)) throw error
    await untilSettled(api, place, (status) => observer.waiting(fn.name, status))
    await send(api, call)
  }
}

/** Makes a request so that it may have been made before: what is to go may be gone. */
export async function send(api: ScfApi, call: ScfCall): Promise<void> {
  switch (call.action) {
    case 'DeleteFunction':
    case 'DeleteTrigger':
      await api.requestOnce(call.action, call.parameters, (error) => {
        if (isNotFound(error)) return {}
        throw error
      })
      return
    case 'CreateFunction':
    case 'CreateTrigger':
      await api.requestOnce(call.action, call.parameters, (error, repeated) => {
        if (repeated && isInUse(error)) return {}
        throw error
      })
      return
    default:
      await api.request(call.action, call.parameters)
  }
}
