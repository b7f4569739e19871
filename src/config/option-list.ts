import * as z from 'zod';
import { optionsSchema, secretOptions } from './options-schema.ts';
import type { KeyPath } from './yaml-source.ts';

/** One option: a leaf of the options' schema. */
export interface OptionEntry {
  /** The path with dots: `download.attempts`. */
  readonly name: string;
  /** Where it stands in `ota.yml`. */
  readonly path: readonly string[];
  /** The variable that sets it, which wins over the file. */
  readonly variable: string;
  readonly about: string;
  /** What may be written, in words. */
  readonly type: string;
  /** Undefined where the option has none. */
  readonly initial: unknown;
  /** Whether the value may hold a password. */
  readonly secret: boolean;
  readonly schema: z.ZodType;
}

/** All options, in the order of the schema. */
export const optionList: readonly OptionEntry[] = leaves(optionsSchema, []);

/** Whether the value at `path` must not be shown. */
export function isSecretOption(path: KeyPath): boolean {
  const name = path.join('.');
  return optionList.some((option) => option.secret && option.name === name);
}

function leaves(schema: z.ZodObject, path: readonly string[]): OptionEntry[] {
  return Object.entries(schema.shape).flatMap(([key, child]) => {
    const here = [...path, key];
    const section = child instanceof z.ZodPrefault ? child.unwrap() : undefined;
    return section instanceof z.ZodObject ? leaves(section, here) : [leaf(child as z.ZodType, here)];
  });
}

function leaf(schema: z.ZodType, path: readonly string[]): OptionEntry {
  const json = z.toJSONSchema(schema, { io: 'input' });
  return {
    name: path.join('.'),
    path,
    variable: `OTA_${path.join('_').toUpperCase()}`,
    about: json.description ?? '',
    type: typeInWords(json),
    initial: json.default,
    secret: secretOptions.has(schema),
    schema,
  };
}

function typeInWords(json: z.core.JSONSchema.BaseSchema): string {
  if (json.enum !== undefined) return json.enum.join(', ');
  if (json.type === 'integer' || json.type === 'number') return `${json.minimum} to ${json.maximum}`;
  if (json.type === 'boolean') return 'true, false';
  return json.type === 'array' ? 'list' : 'text';
}
