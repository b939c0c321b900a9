import type { Artifact } from './bundle'
import { type FunctionPlan, inOrder, type Step, stepsOf } from './plan'
import type { ServiceFunction } from './service'

/** The zips, one line each. */
export function artifactLines(artifacts: readonly { fn: ServiceFunction; artifact: Artifact }[]): string[] {
  const width = Math.max(...artifacts.map(({ fn }) => fn.key.length))
  return artifacts.map(({ fn, artifact: { zip, sha256 } }) => {
    const kilobytes = (zip.byteLength / 1024).toFixed(0)
    return `${fn.key.padEnd(width)}  ${kilobytes.padStart(6)} KB  sha256 ${sha256}`
  })
}

/** What a deployment would do, function by function. */
export function planLines(plans: readonly FunctionPlan[]): string[] {
  if (stepsOf(plans).length === 0) return ['Nothing would change.']
  return inOrder(plans).flatMap((plan) => {
    const steps = stepsOf([plan])
    return [`${plan.fn.name}${steps.length === 0 ? ': nothing' : ''}`, ...steps.map((step) => `  ${stepLine(step)}`)]
  })
}

export function stepLine({ call, why }: Step): string {
  return `${call.action}: ${why}`
}

/** How an app's owner has LCIC call the function: the key is named, never told. */
export function callbackLines(url: string, sdkAppIds: readonly string[]): string[] {
  const ids = sdkAppIds.length > 0 ? sdkAppIds : ['YOUR_SDK_APP_ID']
  return [
    `Callback URL: ${url}`,
    'Register it once for each app, in the LCIC console or with:',
    ...ids.map(
      (id) => `  tccli lcic ModifyApp --SdkAppId ${id} --Callback '${url}' --CallbackKey "$LCIC_CALLBACK_KEY"`,
    ),
  ]
}
