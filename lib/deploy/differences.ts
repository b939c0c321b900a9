import type { Deployed } from './deployed'
import { shownValue } from './environment'
import { DeployError } from './errors'
import type { ScfRequest } from './scf-api'
import type { ServiceFunction } from './service'

type Configuration = Omit<ScfRequest<'UpdateFunctionConfiguration'>, 'FunctionName' | 'Namespace'>

/** What a function's configuration lacks, and how to say so without a secret. */
export interface Differences {
  readonly parameters: Configuration
  readonly changes: readonly string[]
}

/** @param everything also what is as it should be: after an update that failed nobody knows what was taken over */
export function differencesOf(
  fn: ServiceFunction,
  deployed: NonNullable<Deployed['fn']>,
  { everything = false } = {},
): Differences {
  const parameters: Configuration = {}
  const changes: string[] = []
  if (fn.memoryMb !== deployed.MemorySize || everything) {
    parameters.MemorySize = fn.memoryMb
    if (fn.memoryMb !== deployed.MemorySize) changes.push(`memory ${deployed.MemorySize} → ${fn.memoryMb} MB`)
  }
  if (fn.timeoutSeconds !== deployed.Timeout || everything) {
    parameters.Timeout = fn.timeoutSeconds
    if (fn.timeoutSeconds !== deployed.Timeout) changes.push(`timeout ${deployed.Timeout} → ${fn.timeoutSeconds} s`)
  }
  const variables = variableChanges(fn.environment, deployed)
  if (variables.length > 0 || everything) {
    parameters.Environment = environmentOf(fn)
    changes.push(...variables)
  }
  const { vpc, role } = fn
  const { VpcId, SubnetId } = deployed.VpcConfig ?? {}
  if (vpc && (vpc.vpcId !== VpcId || vpc.subnetId !== SubnetId || everything)) {
    parameters.VpcConfig = { VpcId: vpc.vpcId, SubnetId: vpc.subnetId }
    if (vpc.vpcId !== VpcId || vpc.subnetId !== SubnetId) changes.push(`VPC ${vpc.vpcId} ${vpc.subnetId}`)
  }
  if (role && (role !== deployed.Role || everything)) {
    parameters.Role = role
    if (role !== deployed.Role) changes.push(`role ${role}`)
  }
  const status = publicNetStatus(fn)
  if (status !== (deployed.PublicNetConfig?.PublicNetStatus ?? 'DISABLE')) {
    // A fixed address is set in the console, and stays.
    const EipStatus = deployed.PublicNetConfig?.EipConfig?.EipStatus ?? 'DISABLE'
    parameters.PublicNetConfig = { PublicNetStatus: status, EipConfig: { EipStatus } }
    changes.push(`public network ${status.toLowerCase()}d`)
  }
  return { parameters, changes }
}

export function environmentOf({ environment }: ServiceFunction): { Variables: { Key: string; Value: string }[] } {
  return { Variables: Object.entries(environment).map(([Key, Value]) => ({ Key, Value })) }
}

export function publicNetStatus({ publicNet }: ServiceFunction): 'ENABLE' | 'DISABLE' {
  return publicNet ? 'ENABLE' : 'DISABLE'
}

function variableChanges(
  wanted: Readonly<Record<string, string>>,
  { Environment }: NonNullable<Deployed['fn']>,
): string[] {
  const variables = (Environment?.Variables ?? []).map(({ Key = '', Value = '' }) => [Key, Value] as const)
  const have = new Map(variables.filter(([name]) => name !== ''))
  const set = Object.entries(wanted)
    .filter(([name, value]) => have.get(name) !== value)
    .map(([name, value]) => `${name} ${have.has(name) ? 'changes to' : 'is set to'} ${shownValue(name, value)}`)
  const removed = [...have.keys()].filter((name) => !(name in wanted)).map((name) => `${name} is removed`)
  return [...set, ...removed]
}

/** What cannot be changed once a function is there. @throws {DeployError} `E_FIXED` */
export function checkFixed(fn: ServiceFunction, { Runtime, Type }: NonNullable<Deployed['fn']>): void {
  for (const [what, have, want] of [
    ['runtime', Runtime, fn.runtime],
    ['type', Type, 'Event'],
  ]) {
    if (!have || have === want) continue
    throw new DeployError(
      'E_FIXED',
      `${fn.name} has the ${what} ${have}, which SCF cannot change to ${want}: run \`serverless remove\`, then deploy again; the function URL will be another one. If it is not a function of this service, deploy under another --stage.`,
    )
  }
}
