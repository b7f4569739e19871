import type * as z from 'zod';
import type { ConfigErrorCode } from './config-error.ts';
import type { KeyPath } from './yaml-source.ts';

/** One value that a schema refuses. The schemas here carry as `error` what to write instead. */
export interface SchemaProblem {
  readonly code: Extract<ConfigErrorCode, 'value_missing' | 'value_invalid' | 'too_many'>;
  readonly path: KeyPath;
  readonly what: string;
  readonly mend: string;
}

/** What `schema` refuses in `value`, one problem per place. Values of keys that `isSecret` names are not shown. */
export function schemaProblems(
  error: Pick<z.core.$ZodError, 'issues'>,
  value: unknown,
  isSecret: (path: KeyPath) => boolean = () => false,
): readonly SchemaProblem[] {
  const problems = new Map<string, SchemaProblem>();
  for (const issue of error.issues) {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    const place = JSON.stringify(path);
    if (problems.has(place)) continue;
    const found = valueAt(value, path);
    const tooMany = issue.code === 'too_big' && issue.origin === 'array';
    problems.set(place, {
      code: found === undefined ? 'value_missing' : tooMany ? 'too_many' : 'value_invalid',
      path,
      what: found === undefined ? 'is missing' : `is ${isSecret(path) ? 'not valid' : show(found)}`,
      mend: issue.message,
    });
  }
  return [...problems.values()];
}

/** What lies at `path` within nested mappings and lists; undefined where the path leads nowhere. */
export function valueAt(value: unknown, path: KeyPath): unknown {
  let here = value;
  for (const part of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<string | number, unknown>)[part];
  }
  return here;
}

/** A value as a person would write it, cut short. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
