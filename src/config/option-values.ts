import { optionList } from './option-list.ts';
import type { KeyPath } from './yaml-source.ts';

/** Options as the file nests them, before defaults. */
export type Values = Record<string, unknown>;

/** Without the keys that have no value: `download:` above nothing but comments sets nothing. */
export function withoutNulls(values: Values): Values {
  const kept = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(
    kept.map(([key, value]) => [key, isSection(value) ? withoutNulls(value) : value]),
  );
}

function isSection(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Paths of the keys that no option has. */
export function unknownKeys(values: Values, path: readonly string[] = []): string[][] {
  return Object.entries(values).flatMap(([key, value]) => {
    const here = [...path, key];
    const inside = optionList.filter((option) => here.every((part, at) => option.path[at] === part));
    if (inside.length === 0) return [here];
    const isOption = inside.some((option) => option.path.length === here.length);
    return !isOption && isSection(value) ? unknownKeys(value, here) : [];
  });
}

/** Puts a value where its option stands, and makes the sections around it. */
export function setOption(values: Values, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) values[key] = value;
  else {
    const section = values[key];
    values[key] = isSection(section) ? section : {};
    setOption(values[key] as Values, rest, value);
  }
}

/** Takes out the whole option that a problem lies in, so that it gets its default. */
export function removeOption(values: Values, path: KeyPath): void {
  const [key, ...rest] = path;
  if (typeof key !== 'string') return;
  const inner = values[key];
  if (rest.length > 0 && isSection(inner)) removeOption(inner, rest);
  else delete values[key];
}

/** The same values, frozen, under names as TypeScript writes them. */
export function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(camelKeys));
  if (!isSection(value)) return value;
  const camel = (key: string) => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([key, v]) => [camel(key), camelKeys(v)])),
  );
}
