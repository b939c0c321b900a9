/** What this provider uses of the serverless framework (osls 4), whose own types describe AWS. */
export interface Framework {
  readonly serviceDir: string
  readonly version: string
  readonly service: {
    readonly service: unknown
    readonly provider: { readonly stage?: string; readonly name?: string }
    readonly functions: Record<string, { package?: { artifact?: string }; name?: string }>
    readonly package: { readonly path?: string }
    getServiceName(): string
  }
  readonly processedInput: { readonly commands: readonly string[]; readonly options: CommandOptions }
  readonly configurationInput: { provider?: unknown; functions?: unknown }
  readonly configSchemaHandler: {
    readonly schema: FrameworkSchema
    defineProvider(name: string, schema: object): void
  }
  readonly classes: { readonly Error: new (message: string, code: string) => Error }
  setProvider(name: string, provider: object): void
}

/** The part of its configuration schema that is opened, because this provider checks more, and says more of what is wrong. */
export interface FrameworkSchema {
  readonly properties: {
    readonly provider: { additionalProperties?: boolean }
    readonly functions: {
      additionalProperties?: boolean
      readonly patternProperties: Record<
        string,
        { properties: Record<string, unknown>; additionalProperties?: boolean }
      >
    }
  }
}

export interface CommandOptions {
  readonly stage?: string
  readonly function?: string
  readonly data?: string
  readonly path?: string
  readonly raw?: boolean
  readonly startTime?: string
  readonly filter?: string
  readonly tail?: boolean
  readonly package?: string
}

/** What the framework gives a plugin to write with: results to stdout, all else to stderr. */
export interface Writers {
  readonly log: {
    notice(text?: string): void
    warning(text: string): void
    success(text: string): void
  }
  readonly progress: { get(name: string): { update(text: string): void; remove(): void } }
  writeText(text: string): void
}

export interface PluginCommand {
  readonly usage: string
  readonly lifecycleEvents: readonly string[]
  readonly options?: Record<string, { usage: string; type: string; shortcut?: string }>
}
