let loading: ReturnType<typeof load> | undefined

/**
 * What writes Parquet: the format's headers and footers, also for reading, and a zstd. Only exports load it. All of it are modules that a
 * CommonJS bundle can only import so.
 */
export function loadParquet(): Promise<Parquet> {
  // The zstd breaks what it is asked for if it is started twice.
  loading ??= load()
  return loading
}

async function load() {
  const [{ ByteWriter, ParquetWriter }, { writePageHeader }, { writeRleBitPackedHybrid }, { init, compress }, reading] =
    await Promise.all([
      import('hyparquet-writer'),
      import('hyparquet-writer/src/datapage.js'),
      import('hyparquet-writer/src/encoding.js'),
      import('@bokuweb/zstd-wasm'),
      import('hyparquet'),
    ])
  await init()
  const { asyncBufferFromFile, parquetMetadataAsync } = reading
  return {
    ByteWriter,
    ParquetWriter,
    writePageHeader,
    writeRleBitPackedHybrid,
    compress,
    asyncBufferFromFile,
    parquetMetadataAsync,
  }
}

export type Parquet = Awaited<ReturnType<typeof load>>
