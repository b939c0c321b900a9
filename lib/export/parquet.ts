/**
 * What writes Parquet: the format's headers and footers, also for reading, and a zstd. Only exports load it. All of it are modules that a
 * CommonJS bundle can only import so.
 */
export async function loadParquet() {
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

export type Parquet = Awaited<ReturnType<typeof loadParquet>>
