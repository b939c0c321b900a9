import type { z } from 'zod'
import { ApiError } from '../../lib/simulator/api-error'
import { filesOf, type parameterSchemas, type StubFunction, type StubTrigger } from './scf-state'

type Action = keyof typeof parameterSchemas
type Given<Name extends Action> = z.output<(typeof parameterSchemas)[Name]>

/** What the stand-in keeps, and is told to do. */
export interface World {
  readonly functions: Map<string, StubFunction>
  /** How often a function is looked at before its status settles. */
  looks: number
  /** How the next change of a function ends, by its name. */
  readonly endings: Map<string, { status: string; reason: string }>
  /** How often triggers are listed before a function has its URL. */
  urlLooks: number
  /** What a function answers. */
  invoke: (name: string, event: string) => { RetMsg?: string; ErrMsg?: string; Log?: string }
}

/** Every action; each throws an ApiError where the API would answer one. */
export const actions: { [Name in Action]: (world: World, given: Given<Name>) => object } = {
  CreateFunction(world, { Code, CodeSource: _, InstallDependency: __, ...given }) {
    if (world.functions.has(given.FunctionName))
      throw new ApiError('ResourceInUse.FunctionName', 'The function exists.')
    const created: StubFunction = {
      Role: '',
      VpcConfig: { VpcId: '', SubnetId: '' },
      ...given,
      files: filesOf(Code.ZipFile, given.Handler, 50),
      Status: 'Creating',
      StatusReasons: [],
      settling: settling(world, given.FunctionName),
      retry: { RetryConfig: [{ RetryNum: 2 }, { RetryNum: -1 }], MsgTTL: 21_600 },
      triggers: [],
    } as StubFunction
    world.functions.set(given.FunctionName, created)
    return {}
  },
  UpdateFunctionCode(world, { FunctionName, Handler, ZipFile }) {
    const fn = changeable(world, FunctionName)
    Object.assign(fn, {
      Handler,
      files: filesOf(ZipFile, Handler, 20),
      Status: 'Updating',
      settling: settling(world, FunctionName),
    })
    return {}
  },
  UpdateFunctionConfiguration(world, { FunctionName, Namespace: _, ...given }) {
    const fn = changeable(world, FunctionName)
    Object.assign(fn, given, { Status: 'Updating', settling: settling(world, FunctionName) })
    return {}
  },
  GetFunction(world, { FunctionName }) {
    const fn = existing(world, FunctionName)
    if (/ing$/.test(fn.Status) && fn.settling.looks-- <= 0) {
      const { status, reason } = fn.settling
      if (status === 'Deleted') {
        world.functions.delete(FunctionName)
        existing(world, FunctionName)
      }
      fn.Status = status
      fn.StatusReasons = reason ? [{ ErrorCode: 'InternalError', ErrorMessage: reason }] : []
    }
    const { files: _, settling: __, retry: ___, triggers: ____, ...answer } = fn
    return answer
  },
  DeleteFunction(world, { FunctionName }) {
    const fn = existing(world, FunctionName)
    Object.assign(fn, { Status: 'Deleting', settling: { looks: world.looks, status: 'Deleted' } })
    return {}
  },
  GetFunctionEventInvokeConfig: (world, { FunctionName }) => ({
    AsyncTriggerConfig: existing(world, FunctionName).retry,
  }),
  UpdateFunctionEventInvokeConfig(world, { FunctionName, AsyncTriggerConfig }) {
    active(world, FunctionName).retry = {
      RetryConfig: [...AsyncTriggerConfig.RetryConfig, { RetryNum: -1 }],
      MsgTTL: AsyncTriggerConfig.MsgTTL,
    }
    return {}
  },
  ListTriggers(world, { FunctionName, Offset, Limit }) {
    const { triggers } = existing(world, FunctionName)
    const hasUrl = world.urlLooks-- <= 0
    return {
      TotalCount: triggers.length,
      Triggers: triggers.slice(Offset, Offset + Limit).map((trigger) => listed(trigger, hasUrl)),
    }
  },
  CreateTrigger(world, { FunctionName, Namespace: _, ...given }) {
    const { triggers } = active(world, FunctionName)
    if (triggers.some(same(given))) throw new ApiError('ResourceInUse.TriggerName', 'The trigger exists.')
    if (given.Type === 'http' && triggers.some(({ Type }) => Type === 'http')) {
      throw new ApiError('LimitExceeded.Trigger', 'A function has one URL.')
    }
    triggers.push({ ...given, CustomArgument: given.CustomArgument ?? '', Enable: given.Enable === 'OPEN' ? 1 : 0 })
    return {}
  },
  UpdateTrigger(world, { FunctionName, Namespace: _, ...given }) {
    const { triggers } = active(world, FunctionName)
    const trigger = triggers.find(same(given))
    if (!trigger) throw new ApiError('ResourceNotFound.Trigger', 'There is no such trigger.')
    Object.assign(trigger, given, {
      CustomArgument: given.CustomArgument ?? '',
      Enable: given.Enable === 'OPEN' ? 1 : 0,
    })
    return {}
  },
  DeleteTrigger(world, { FunctionName, ...given }) {
    const fn = existing(world, FunctionName)
    if (!fn.triggers.some(same(given))) throw new ApiError('ResourceNotFound.Trigger', 'There is no such trigger.')
    fn.triggers = fn.triggers.filter((trigger) => !same(given)(trigger))
    return {}
  },
  Invoke(world, { FunctionName, ClientContext }) {
    active(world, FunctionName)
    const { RetMsg = '{}', ErrMsg = '', Log = '' } = world.invoke(FunctionName, ClientContext)
    return { Result: { RetMsg, ErrMsg, Log, Duration: 12, FunctionRequestId: 'invocation-1' } }
  },
  GetFunctionLogs(world, { FunctionName, StartTime }) {
    existing(world, FunctionName)
    const entry = {
      FunctionName,
      RequestId: 'r-1',
      StartTime,
      RetCode: 0,
      Duration: 12,
      Log: '{"level":30}\n',
      RetMsg: '{}',
    }
    return { TotalCount: 1, Data: [entry] }
  },
}

function existing({ functions }: World, name: string): StubFunction {
  const fn = functions.get(name)
  if (!fn) throw new ApiError('ResourceNotFound.FunctionName', `The function ${name} does not exist.`)
  return fn
}

function active(world: World, name: string): StubFunction {
  const fn = existing(world, name)
  if (fn.Status !== 'Active')
    throw new ApiError('FailedOperation.FunctionVersionStatusNotActive', `It is ${fn.Status}.`)
  return fn
}

function changeable(world: World, name: string): StubFunction {
  const fn = existing(world, name)
  if (fn.Status === 'Active' || fn.Status === 'UpdateFailed') return fn
  throw new ApiError('FailedOperation.FunctionStatusError', `It is ${fn.Status}.`)
}

function settling({ looks, endings }: World, name: string): StubFunction['settling'] {
  const ending = endings.get(name)
  endings.delete(name)
  return { looks, ...(ending ?? { status: 'Active' }) }
}

const same =
  (given: { TriggerName: string; Type: string; Qualifier: string }) =>
  ({ TriggerName, Type, Qualifier }: StubTrigger): boolean =>
    TriggerName === given.TriggerName && Type === given.Type && Qualifier === given.Qualifier

/** As the API lists triggers: a cron expression within JSON, and a URL with its addresses. */
function listed(trigger: StubTrigger, hasUrl: boolean): StubTrigger {
  const { Type, TriggerDesc } = trigger
  if (Type === 'timer') return { ...trigger, TriggerDesc: JSON.stringify({ cron: TriggerDesc }) }
  if (Type !== 'http') return trigger
  const { NetConfig, ...rest } = JSON.parse(TriggerDesc)
  const ExtranetUrl =
    NetConfig.EnableExtranet && hasUrl ? 'https://1250000000-abcdefghij.ap-guangzhou.tencentscf.com' : ''
  return { ...trigger, TriggerDesc: JSON.stringify({ ...rest, NetConfig: { ...NetConfig, ExtranetUrl } }) }
}
