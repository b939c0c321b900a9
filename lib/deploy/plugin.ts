import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { ArchiveError } from '../errors'
import { bundleFunction } from './bundle'
import { configurationError, readService } from './configuration'
import type { Artifacts } from './deployment'
import { missingVariables, shownValue } from './environment'
import type { Framework, PluginCommand, Writers } from './framework'
import type { FunctionPlan } from './plan'
import { planDocument } from './plan-file'
import { artifactLines } from './report'
import { fileOf, type Service } from './service'

/** Makes `tencent` a provider that the serverless framework knows: it checks, packages, deploys and removes functions of SCF. */
export default class TencentProvider {
  static getProviderName(): string {
    return 'tencent'
  }

  readonly commands: Record<string, PluginCommand> = {
    migrate: {
      usage: "Brings the database's schema up to date, as deployments do first",
      lifecycleEvents: ['migrate'],
    },
  }
  readonly hooks: Record<string, () => Promise<void>>
  private service: Service | undefined
  private artifacts: Artifacts = new Map()

  constructor(
    private readonly framework: Framework,
    _options: unknown,
    private readonly writers: Writers,
  ) {
    framework.setProvider('tencent', this)
    framework.configSchemaHandler.defineProvider('tencent', { provider: { properties: {} } })
    openSchema(framework)
    this.hooks = this.guarded({
      initialize: async () => this.check(),
      'before:print:print': async () => hideValues(framework),
      'before:package:createDeploymentArtifacts': () => this.bundle(),
      'package:finalize': () => this.preview(),
      'deploy:deploy': async () =>
        (await import('./commands')).deploy(this.context, this.artifacts, (plans) => this.writePlan(plans, true)),
      'remove:remove': async () => (await import('./commands')).remove(this.context),
      'invoke:invoke': async () =>
        (await import('./commands')).invoke(this.context, framework.processedInput.options, framework.serviceDir),
      'logs:logs': async () => (await import('./commands')).logs(this.context, framework.processedInput.options),
      'migrate:migrate': async () => (await import('./commands')).migrate(this.context),
    })
  }

  private get context(): { service: Service; writers: Writers } {
    if (!this.service) throw new TypeError('serverless.yml has not been read.')
    return { service: this.service, writers: this.writers }
  }

  private get isDeployment(): boolean {
    return this.framework.processedInput.commands[0] === 'deploy'
  }

  private check(): void {
    const { service, processedInput } = this.framework
    const { provider, functions } = service
    const stage = processedInput.options.stage ?? provider.stage ?? 'dev'
    this.service = readService({ service: service.getServiceName(), stage, provider, functions })
    if (!this.isDeployment) return
    const missing = missingVariables(this.service)
    if (missing.length > 0) throw configurationError('Variables are missing that deployed functions need', missing)
    const without = this.service.functions.filter(({ role }) => !role)
    if (without.length > 0) {
      this.writers.log.warning(
        'LCIC_ARCHIVE_ROLE is not set: functions that have no role yet get no credentials, and cannot ask LCIC.',
      )
    }
  }

  private async bundle(): Promise<void> {
    const { service } = this.context
    const { serviceDir } = this.framework
    const bundled = await Promise.all(
      service.functions.map(async (fn) => ({ fn, artifact: await bundleFunction(serviceDir, fileOf(fn.handler)) })),
    )
    this.artifacts = new Map(bundled.map(({ fn, artifact }) => [fn.key, artifact]))
    await mkdir(this.packagePath, { recursive: true })
    for (const { fn, artifact } of bundled) {
      const path = join(this.packagePath, `${fn.key}.zip`)
      await writeFile(path, artifact.zip)
      const packaged = this.framework.service.functions[fn.key]
      // What is packaged already, the framework does not package again.
      if (packaged) packaged.package = { artifact: relative(serviceDir, path) }
    }
    const lines = artifactLines(bundled).join('\n')
    if (this.isDeployment) this.writers.log.notice(lines)
    else this.writers.writeText(`${lines}\n`)
  }

  private async preview(): Promise<void> {
    if (this.isDeployment) return
    const { previewDeployment, tellPreview } = await import('./commands')
    const { plans, isCompared } = await previewDeployment(this.context, this.artifacts)
    tellPreview(this.context, plans, isCompared)
    await this.writePlan(plans, isCompared)
    this.writers.log.notice(`The requests are in ${relative(this.framework.serviceDir, this.planPath)}`)
  }

  private async writePlan(plans: readonly FunctionPlan[], isCompared: boolean): Promise<void> {
    const packaged = plans.flatMap((plan) => {
      const artifact = this.artifacts.get(plan.fn.key)
      return artifact ? [{ plan, artifact }] : []
    })
    const comparedWith = isCompared ? 'what is deployed' : 'nothing: these are the requests of a first deployment'
    const document = planDocument(this.context.service, packaged, comparedWith)
    await writeFile(this.planPath, `${JSON.stringify(document, null, 2)}\n`)
  }

  private get planPath(): string {
    return join(this.packagePath, 'plan.json')
  }

  private get packagePath(): string {
    const { processedInput, service, serviceDir } = this.framework
    return resolve(serviceDir, processedInput.options.package ?? service.package.path ?? '.serverless')
  }

  /** The framework shows errors of its own class without a stack. */
  private guarded(hooks: Record<string, () => Promise<void>>): Record<string, () => Promise<void>> {
    const guard = (hook: () => Promise<void>) => async () => {
      try {
        await hook()
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error
        throw new this.framework.classes.Error(`${error.message} [${error.code}]`, error.code)
      }
    }
    return Object.fromEntries(Object.entries(hooks).map(([event, hook]) => [event, guard(hook)]))
  }
}

/** What the framework would check in general words, `configuration.ts` checks precisely, and all at once. */
function openSchema({ configSchemaHandler }: Framework): void {
  const { provider, functions } = configSchemaHandler.schema.properties
  provider.additionalProperties = true
  functions.additionalProperties = true
  for (const pattern of Object.values(functions.patternProperties)) {
    pattern.additionalProperties = true
    pattern.properties.name = {}
    pattern.properties.events = {}
  }
}

/** `serverless print` shows what variables come to, and those of functions may be secrets. */
function hideValues({ configurationInput: { provider, functions } }: Framework): void {
  const owners: unknown[] = [provider, ...Object.values(functions ?? {})]
  for (const owner of owners) {
    if (typeof owner !== 'object' || owner === null || !('environment' in owner)) continue
    const { environment } = owner
    if (typeof environment !== 'object' || environment === null) continue
    const shown = Object.entries(environment).map(([name, value]) => [name, value && shownValue(name, String(value))])
    owner.environment = Object.fromEntries(shown)
  }
}
