import type { SchemaElement } from 'hyparquet'
import { BooleanColumn, type Column, ValueColumn } from './column'
import { NumberDictionary, type NumberKind, type Shift } from './number-dictionary'
import { TextDictionary } from './text-dictionary'

/** The column of a view, by the object id of its PostgreSQL type; `undefined` for a type that no view has. */
export function columnOf(name: string, type: number): Column | undefined {
  const kind = kinds.get(type)
  if (!kind) return undefined
  const { list, element } = kind
  const value: SchemaElement = { ...element, name: list ? 'element' : name, repetition_type: 'OPTIONAL' }
  const wrapping: readonly SchemaElement[] = [
    { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  ]
  const dictionary = kind.number ? new NumberDictionary(kind.number, kind.shift) : new TextDictionary()
  const elements = list ? [...wrapping, value] : [value]
  return kind.bits ? new BooleanColumn(name, elements) : new ValueColumn(name, elements, dictionary, list ?? false)
}

interface Kind {
  readonly element: Pick<SchemaElement, 'type' | 'converted_type' | 'logical_type'>
  readonly number?: NumberKind
  readonly shift?: Shift
  readonly bits?: boolean
  readonly list?: boolean
}

const microseconds = (isAdjustedToUTC: boolean): Kind => ({
  element: {
    type: 'INT64',
    // The older type has no meaning but UTC.
    ...(isAdjustedToUTC && { converted_type: 'TIMESTAMP_MICROS' as const }),
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC, unit: 'MICROS' },
  },
  number: 'int64',
  shift: shiftOf(BigInt(Date.UTC(2000, 0, 1)) * 1000n),
})
const text: Kind = { element: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } } }
const kinds = new Map<number, Kind>([
  [16, { element: { type: 'BOOLEAN' }, bits: true }],
  [20, { element: { type: 'INT64' }, number: 'int64' }],
  [23, { element: { type: 'INT32' }, number: 'int32' }],
  [25, text],
  [701, { element: { type: 'DOUBLE' }, number: 'double' }],
  [1009, { ...text, list: true }],
  [
    1082,
    {
      element: { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
      number: 'int32',
      shift: { low: Date.UTC(2000, 0, 1) / 86_400_000, high: 0 },
    },
  ],
  [1114, microseconds(false)],
  [1184, microseconds(true)],
])

/** PostgreSQL counts from 2000, Parquet from 1970. */
function shiftOf(amount: bigint): Shift {
  return { low: Number(amount & 0xffff_ffffn), high: Number(amount >> 32n) }
}
