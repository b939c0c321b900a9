import type { ColumnChunk, Encoding, SchemaElement } from 'hyparquet'
import type { Writer } from 'hyparquet-writer/src/types.js'
import type { Bounds } from './dictionary'
import type { Levels } from './levels'
import type { Parquet } from './parquet'

/** Stronger ones take more time than they save bytes. */
const ZSTD_LEVEL = 3

/** One column of one row group, as it is written: a dictionary page if need be, then one data page. */
export class Chunk {
  private readonly start: number
  private dictionaryAt: bigint | undefined
  /** Bytes that compression saved. */
  private saved = 0

  constructor(
    private readonly writer: Writer,
    private readonly parquet: Parquet,
  ) {
    this.start = writer.offset
  }

  writeDictionary(values: Uint8Array, count: number): void {
    const { writer, parquet } = this
    this.dictionaryAt = BigInt(writer.offset)
    const compressed = parquet.compress(values, ZSTD_LEVEL)
    parquet.writePageHeader(writer, {
      type: 'DICTIONARY_PAGE',
      uncompressed_page_size: values.length,
      compressed_page_size: compressed.length,
      dictionary_page_header: { num_values: count, encoding: 'PLAIN' },
    })
    this.append(values, compressed)
  }

  /**
   * Writes the data page, of version 1, which every reader reads, and ends the chunk with it.
   *
   * @param values with their levels before them
   */
  writePage(values: Uint8Array, elements: readonly SchemaElement[], levels: Levels, bounds?: Bounds): ColumnChunk {
    const { writer, parquet, start, dictionaryAt } = this
    const encoding: Encoding = dictionaryAt === undefined ? 'PLAIN' : 'RLE_DICTIONARY'
    const at = BigInt(writer.offset)
    const compressed = parquet.compress(values, ZSTD_LEVEL)
    parquet.writePageHeader(writer, {
      type: 'DATA_PAGE',
      uncompressed_page_size: values.length,
      compressed_page_size: compressed.length,
      data_page_header: {
        num_values: levels.count,
        encoding,
        definition_level_encoding: 'RLE',
        repetition_level_encoding: 'RLE',
      },
    })
    this.append(values, compressed)
    return {
      file_offset: BigInt(start),
      meta_data: {
        type: elements.at(-1)?.type ?? 'BYTE_ARRAY',
        encodings: encoding === 'PLAIN' ? ['PLAIN', 'RLE'] : ['PLAIN', 'RLE', 'RLE_DICTIONARY'],
        path_in_schema: elements.map(({ name }) => name),
        codec: 'ZSTD',
        num_values: BigInt(levels.count),
        total_uncompressed_size: BigInt(writer.offset - start + this.saved),
        total_compressed_size: BigInt(writer.offset - start),
        data_page_offset: at,
        ...(dictionaryAt !== undefined && { dictionary_page_offset: dictionaryAt }),
        statistics: {
          null_count: BigInt(levels.nulls),
          ...(bounds && { min_value: bounds.min, max_value: bounds.max }),
        },
      },
    }
  }

  private append(values: Uint8Array, compressed: Uint8Array): void {
    this.writer.appendBytes(compressed)
    this.saved += values.length - compressed.length
  }
}
