import type { Deployed, Place } from './deployed'
import type { Step } from './plan'
import { type ServiceFunction, type Trigger, triggerTypes } from './service'
import { describesSame } from './triggers'

type Listed = Deployed['triggers'][number]

/** SCF's own alias, which leads to the newest code. Source: CreateTrigger, `Qualifier`. */
const QUALIFIER = '$DEFAULT'

/** Triggers of kinds that serverless.yml knows are made those that it names; of other kinds are left alone. */
export function planTriggers(place: Place, { triggers }: ServiceFunction, listed: readonly Listed[]): Step[] {
  const mine = listed.filter(({ Type }) => triggerTypes.some((type) => type === Type))
  const matches = (trigger: Trigger, have: Listed) =>
    have.Type === trigger.type && have.TriggerName === trigger.name && have.Qualifier === QUALIFIER
  const superfluous = mine.filter((have) => !triggers.some((trigger) => matches(trigger, have)))
  // A function has one URL: the old one has to go first.
  return [
    ...superfluous.map((have) => removal(place, have)),
    ...triggers.flatMap((trigger) => {
      const have = mine.find((candidate) => matches(trigger, candidate))
      return have ? update(place, trigger, have) : [creation(place, trigger)]
    }),
  ]
}

function removal(place: Place, { TriggerName = '', Type = '', Qualifier }: Listed): Step {
  const parameters = { ...place, TriggerName, Type, ...(Qualifier && { Qualifier }) }
  return { call: { action: 'DeleteTrigger', parameters }, why: `${Type} ${TriggerName} is not in serverless.yml` }
}

function creation(place: Place, trigger: Trigger): Step {
  return {
    call: { action: 'CreateTrigger', parameters: parametersOf(place, trigger) },
    why: `${trigger.type} ${trigger.name} is not there`,
  }
}

function update(place: Place, trigger: Trigger, have: Listed): Step[] {
  const changes = [
    ...(describesSame(trigger.description, have.TriggerDesc ?? '')
      ? []
      : [`${have.TriggerDesc} → ${trigger.description}`]),
    ...(Boolean(have.Enable) === trigger.enabled ? [] : [trigger.enabled ? 'enabled' : 'disabled']),
    ...((have.CustomArgument ?? '') === (trigger.argument ?? '') ? [] : ['argument']),
  ]
  if (changes.length === 0) return []
  // An argument that is taken away has to be said, too.
  const CustomArgument = trigger.type === 'timer' ? { CustomArgument: trigger.argument ?? '' } : {}
  const parameters = { ...parametersOf(place, trigger), ...CustomArgument }
  return [
    { call: { action: 'UpdateTrigger', parameters }, why: `${trigger.type} ${trigger.name}: ${changes.join(', ')}` },
  ]
}

function parametersOf(place: Place, { type, name, description, enabled, argument }: Trigger) {
  return {
    ...place,
    TriggerName: name,
    Type: type,
    TriggerDesc: description,
    Enable: enabled ? 'OPEN' : 'CLOSE',
    Qualifier: QUALIFIER,
    ...(argument !== undefined && { CustomArgument: argument }),
  }
}
