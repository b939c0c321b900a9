import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { KeyValue } from 'hyparquet'
import type { Column } from './column'
import { temporaryName } from './layout'
import { makeDirectory } from './make-directory'
import type { Parquet } from './parquet'

/** A Parquet file in the making. It has a name that nobody reads until it is whole and on the disk. */
export class PartFile {
  private readonly buffer: InstanceType<Parquet['ByteWriter']>
  private readonly writer: InstanceType<Parquet['ParquetWriter']>
  rows = 0

  private constructor(
    private readonly parquet: Parquet,
    private readonly path: string,
    private readonly temporaryPath: string,
    private readonly handle: FileHandle,
    private readonly columns: readonly Column[],
    { metadata, createdBy }: { metadata: KeyValue[]; createdBy: string },
  ) {
    const schema = columns.flatMap(({ elements }) => elements)
    this.buffer = new parquet.ByteWriter()
    this.writer = new parquet.ParquetWriter({
      writer: this.buffer,
      schema: [{ name: 'schema', num_children: columns.length }, ...schema],
      codec: 'ZSTD',
      kvMetadata: metadata,
      createdBy,
    })
  }

  static async create(
    parquet: Parquet,
    path: string,
    columns: readonly Column[],
    about: { metadata: KeyValue[]; createdBy: string },
  ): Promise<PartFile> {
    await makeDirectory(dirname(path))
    const temporaryPath = join(dirname(path), temporaryName(randomUUID()))
    const handle = await open(temporaryPath, 'wx')
    return new PartFile(parquet, path, temporaryPath, handle, columns, about)
  }

  /** Writes what the columns hold as a row group. */
  async writeGroup(rows: number): Promise<void> {
    const { buffer, writer, parquet } = this
    const start = buffer.offset
    const columns = this.columns.map((column) => column.write(buffer, parquet))
    const sizes = columns.map(({ meta_data }) => meta_data?.total_uncompressed_size ?? 0n)
    writer.row_groups.push({
      columns,
      num_rows: BigInt(rows),
      total_byte_size: sizes.reduce((sum, size) => sum + size, 0n),
      total_compressed_size: BigInt(buffer.offset - start),
    })
    writer.num_rows += BigInt(rows)
    this.rows += rows
    await this.flush()
  }

  /** Puts the file into its place, in one step. @returns its size */
  async commit(): Promise<number> {
    await this.writer.finish()
    await this.flush()
    await this.handle.sync()
    await this.handle.close()
    await rename(this.temporaryPath, this.path)
    await syncDirectory(dirname(this.path))
    return this.buffer.offset
  }

  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined)
    await rm(this.temporaryPath, { force: true })
  }

  private async flush(): Promise<void> {
    await this.handle.appendFile(this.buffer.getBytes())
    this.buffer.index = 0
  }
}

/** Without it a crash of the machine could undo the renaming. Not every system can. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
