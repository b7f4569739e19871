import { MessageError } from '#diagnostics/messages/message-error.ts';
import {
  toValue,
  type VssDatatype,
  type VssScalar,
  type VssScalarType,
  type VssValue,
} from '#diagnostics/messages/vss-value.ts';
import { DriveError } from './drive-error.ts';
import type { WrittenValue } from './drive-line.ts';

export interface TypedValue {
  readonly datatype: VssDatatype;
  readonly value: VssValue;
}

/** The value as the datatype wants it; without one, as the value looks. Errors: DriveError. */
export function typedValue(written: WrittenValue, known: VssDatatype | undefined): TypedValue {
  const datatype = known ?? guess(written);
  const isArray = datatype.endsWith('[]');
  const type = (isArray ? datatype.slice(0, -2) : datatype) as VssScalarType;
  const value = isArray ? items(written, datatype).map((item) => scalar(item, type)) : scalar(written, type);
  const numbers: readonly VssScalar[] = Array.isArray(value) ? value : [value];
  if (numbers.some((one) => Number.isNaN(one))) throw new DriveError(`${shown(written)} is not a number`);
  try {
    toValue(datatype, value);
  } catch (error) {
    if (error instanceof MessageError) throw new DriveError(error.message, { cause: error });
    throw error;
  }
  return { datatype, value };
}

/** Every number is a double: whether more of them have fractions is not known yet. */
function guess(written: WrittenValue): VssDatatype {
  const json = written.from === 'json' ? written.json : readable(written.text);
  if (Array.isArray(json)) {
    const [first] = json as readonly unknown[];
    return first === undefined || typeof first === 'string'
      ? 'string[]'
      : typeof first === 'boolean'
        ? 'boolean[]'
        : 'double[]';
  }
  if (typeof json === 'boolean') return 'boolean';
  return typeof json === 'number' || typeof json === 'bigint' ? 'double' : 'string';
}

function items(written: WrittenValue, datatype: VssDatatype): readonly WrittenValue[] {
  const json = written.from === 'json' ? written.json : readable(written.text);
  if (!Array.isArray(json))
    throw new DriveError(`${shown(written)} is no ${datatype}: write a list such as ["P0301"]`);
  return json.map((item: unknown) => ({ from: 'json', json: item }));
}

function scalar(written: WrittenValue, type: VssScalarType): VssScalar {
  const raw = written.from === 'json' ? written.json : written.text;
  if (type === 'string') {
    if (typeof raw === 'string') return raw;
  } else if (type === 'boolean') {
    if (typeof raw === 'boolean') return raw;
    const text = written.from === 'text' ? written.text.trim().toLowerCase() : '';
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
  } else {
    if (typeof raw === 'number') return raw;
    if (typeof raw === 'bigint') return type === 'float' || type === 'double' ? Number(raw) : raw;
    // 64 bits are texts in the JSON of many.
    const text = typeof raw === 'string' ? raw.trim() : '';
    const isWide = type === 'int64' || type === 'uint64';
    if (/^-?\d+$/.test(text)) return isWide ? BigInt(text) : Number(text);
    if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  }
  throw new DriveError(`${shown(written)} is no ${type}`);
}

/** JSON where the text is some; else the text. */
function readable(text: string): unknown {
  try {
    return JSON.parse(text.trim());
  } catch {
    return text;
  }
}

function shown(written: WrittenValue): string {
  const text = written.from === 'text' ? JSON.stringify(written.text) : JSON.stringify(written.json, plain);
  return (text ?? 'nothing').slice(0, 60);
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
