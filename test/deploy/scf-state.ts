import { unzipSync } from 'fflate'
import { z } from 'zod'
import { ApiError } from '../../lib/simulator/api-error'

/** A function as the stand-in keeps it. */
export interface StubFunction {
  FunctionName: string
  Namespace: string
  Handler: string
  Runtime: string
  Description: string
  MemorySize: number
  Timeout: number
  Environment: { Variables: { Key: string; Value: string }[] }
  Role: string
  VpcConfig: { VpcId: string; SubnetId: string }
  PublicNetConfig: { PublicNetStatus: string; EipConfig?: { EipStatus: string } | undefined }
  Type: string
  /** The files of the zip. */
  files: Record<string, string>
  Status: string
  StatusReasons: { ErrorCode: string; ErrorMessage: string }[]
  /** How many looks it takes until the status settles, and in what. */
  settling: { looks: number; status: string; reason?: string }
  retry: { RetryConfig: { RetryNum: number }[]; MsgTTL: number }
  triggers: StubTrigger[]
}

export interface StubTrigger {
  TriggerName: string
  Type: string
  TriggerDesc: string
  Qualifier: string
  Enable: number
  CustomArgument: string
}

const place = {
  FunctionName: z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]$/),
  Namespace: z.string().default('default'),
}
const variable = z.strictObject({
  Key: z
    .string()
    .min(1)
    .regex(/^(?!SCF_|QCLOUD_|TENCENTCLOUD_)/),
  Value: z.string().min(1),
})
const configuration = {
  Description: z
    .string()
    .max(1000)
    .regex(/^[\p{L}\p{N} ,.]*$/u),
  MemorySize: z.number().refine((mb) => mb === 64 || (mb % 128 === 0 && mb >= 128 && mb <= 3072)),
  Timeout: z.number().int().min(1).max(900),
  Environment: z
    .strictObject({ Variables: z.array(variable) })
    .refine(
      ({ Variables }) =>
        JSON.stringify(Object.fromEntries(Variables.map(({ Key, Value }) => [Key, Value]))).length <= 4096,
    ),
  VpcConfig: z.strictObject({ VpcId: z.string().regex(/^vpc-/), SubnetId: z.string().regex(/^subnet-/) }),
  Role: z.string().min(1),
  PublicNetConfig: z.strictObject({
    PublicNetStatus: z.enum(['ENABLE', 'DISABLE']),
    EipConfig: z.strictObject({ EipStatus: z.enum(['ENABLE', 'DISABLE']) }).optional(),
  }),
}
const handler = z.string().regex(/^[A-Za-z][\w-]*[A-Za-z]\.[A-Za-z][\w-]*[A-Za-z]$/)
const trigger = {
  ...place,
  TriggerName: z.string().regex(/^[A-Za-z0-9._-]{1,100}$/),
  Type: z.enum(['timer', 'http', 'ckafka']),
  Qualifier: z.string().default('$LATEST'),
}
const describedTrigger = z
  .strictObject({
    ...trigger,
    TriggerDesc: z.string(),
    Enable: z.enum(['OPEN', 'CLOSE']),
    CustomArgument: z.string().optional(),
  })
  .refine(({ Type, CustomArgument }) => Type === 'timer' || CustomArgument === undefined)
  .refine(({ Type, TriggerDesc }) => (Type === 'timer' ? /^(\S+ ){6}\S+$/.test(TriggerDesc) : isJson(TriggerDesc)))

/** The parameters of every action, as strictly as the API's documents have them. */
export const parameterSchemas = {
  CreateFunction: z.strictObject({
    ...place,
    ...configuration,
    VpcConfig: configuration.VpcConfig.optional(),
    Role: configuration.Role.optional(),
    Code: z.strictObject({ ZipFile: z.base64() }),
    CodeSource: z.literal('ZipFile'),
    Handler: handler,
    Runtime: z.literal('Nodejs20.19'),
    Type: z.literal('Event'),
    InstallDependency: z.enum(['TRUE', 'FALSE']),
  }),
  UpdateFunctionCode: z.strictObject({
    ...place,
    Handler: handler,
    ZipFile: z.base64(),
    CodeSource: z.literal('ZipFile'),
  }),
  UpdateFunctionConfiguration: z.strictObject({ ...place, ...z.object(configuration).partial().shape }),
  GetFunction: z.strictObject({ ...place, ShowCode: z.enum(['TRUE', 'FALSE']).optional() }),
  DeleteFunction: z.strictObject(place),
  GetFunctionEventInvokeConfig: z.strictObject(place),
  UpdateFunctionEventInvokeConfig: z.strictObject({
    ...place,
    AsyncTriggerConfig: z.strictObject({
      RetryConfig: z.array(z.strictObject({ RetryNum: z.number().int().min(0).max(2) })).length(1),
      MsgTTL: z.number().int().min(60).max(21_600),
    }),
  }),
  ListTriggers: z.strictObject({ ...place, Offset: z.number().default(0), Limit: z.number().max(100).default(20) }),
  CreateTrigger: describedTrigger,
  UpdateTrigger: describedTrigger,
  DeleteTrigger: z.strictObject(trigger),
  Invoke: z.strictObject({
    ...place,
    InvocationType: z.enum(['RequestResponse', 'Event']),
    LogType: z.enum(['None', 'Tail']),
    ClientContext: z.string().refine(isJson),
  }),
  GetFunctionLogs: z.strictObject({
    ...place,
    Offset: z.number(),
    Limit: z.number(),
    Order: z.enum(['asc', 'desc']),
    OrderBy: z.enum(['function_name', 'duration', 'mem_usage', 'start_time']),
    StartTime: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
    EndTime: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
    Filter: z.strictObject({ RetCode: z.enum(['not0', 'is0']) }).optional(),
  }),
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const MEGABYTE = 1024 * 1024

/** The files of a zip that is small enough and has what the handler names in its root. */
export function filesOf(base64: string, handlerName: string, mostMegabytes: number): Record<string, string> {
  const zip = Buffer.from(base64, 'base64')
  if (zip.byteLength > mostMegabytes * MEGABYTE)
    throw new ApiError('InvalidParameterValue.ZipFile', 'The zip is too large.')
  const files = Object.entries(unzipSync(zip)).map(([path, content]) => [path, Buffer.from(content).toString()])
  const root = `${handlerName.split('.')[0]}.js`
  if (!files.some(([path]) => path === root))
    throw new ApiError('InvalidParameterValue.ZipFile', `The zip has no ${root}.`)
  return Object.fromEntries(files)
}
