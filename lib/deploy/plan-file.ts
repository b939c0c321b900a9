import { createHash } from 'node:crypto'
import type { Artifact } from './bundle'
import { shownValue } from './environment'
import { type FunctionPlan, stepsOf } from './plan'
import type { ScfCall } from './scf-api'
import type { Service } from './service'

/** The plan of a deployment, for people and for programs to read: every request in its order, without code and without secrets. */
export function planDocument(
  { name, stage, region, namespace }: Service,
  plans: readonly { readonly plan: FunctionPlan; readonly artifact: Artifact }[],
  comparedWith: 'what is deployed' | 'nothing: these are the requests of a first deployment',
): object {
  return {
    service: name,
    stage,
    region,
    namespace,
    comparedWith,
    functions: plans.map(({ plan: { fn }, artifact: { file, zip, sha256 } }) => ({
      name: fn.name,
      file,
      zip: { bytes: zip.byteLength, sha256 },
    })),
    requests: stepsOf(plans.map(({ plan }) => plan)).map(({ call, why }) => ({
      action: call.action,
      why,
      parameters: withoutSecrets(call),
    })),
  }
}

/** A request's parameters as they may be written down: of code only what identifies it, of variables only what is harmless. */
export function withoutSecrets({ parameters }: ScfCall): unknown {
  return JSON.parse(JSON.stringify(parameters), (key, value: unknown) => {
    if (key === 'ZipFile' && typeof value === 'string') return summaryOf(value)
    if (key === 'Variables' && Array.isArray(value)) return value.map(hidden)
    return value
  })
}

function summaryOf(base64: string): string {
  const zip = Buffer.from(base64, 'base64')
  return `(${zip.byteLength} bytes, sha256 ${createHash('sha256').update(zip).digest('hex')})`
}

function hidden({ Key, Value }: { Key: string; Value: string }): { Key: string; Value: string } {
  return { Key, Value: shownValue(Key, Value) }
}
