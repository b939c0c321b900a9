import { send } from './apply'
import { isBeyondRepair, type Place, readDeployed, untilSettled } from './deployed'
import type { ScfApi, ScfCall } from './scf-api'
import type { Service } from './service'

/**
 * Takes a service's functions off the platform, their triggers first, so that nothing is started any more. What is gone already is
 * no error. The database stays.
 *
 * @param onCall told of each request
 */
export async function removeService(api: ScfApi, service: Service, onCall: (call: ScfCall) => void): Promise<void> {
  const { functions } = service
  const found = []
  for (const fn of functions) {
    const deployed = await readDeployed(api, service, fn, { settled: true })
    if (deployed.fn) found.push({ fn, deployed })
  }
  const perform = async (call: ScfCall) => {
    onCall(call)
    await send(api, call)
  }
  for (const { fn, deployed } of found) {
    const place: Place = { FunctionName: fn.name, Namespace: service.namespace }
    for (const { TriggerName = '', Type = '', Qualifier, TriggerDesc } of isBeyondRepair(deployed)
      ? []
      : deployed.triggers) {
      // Buckets' triggers are told apart by their description. Source: DeleteTrigger.
      const description = Type === 'cos' && TriggerDesc ? { TriggerDesc } : {}
      const parameters = { ...place, TriggerName, Type, ...(Qualifier && { Qualifier }), ...description }
      await perform({ action: 'DeleteTrigger', parameters })
    }
  }
  for (const { fn } of found) {
    const place: Place = { FunctionName: fn.name, Namespace: service.namespace }
    await perform({ action: 'DeleteFunction', parameters: place })
    await untilSettled(api, place)
  }
}
