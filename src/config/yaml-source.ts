import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { ConfigErrorCode, ConfigProblem } from './config-error.ts';

/** A way into nested values: names of keys and numbers of list items. */
export type KeyPath = readonly (string | number)[];

/** More problems than this help nobody. */
const maxProblems = 50;

/** A parsed YAML file that still knows where everything stood. */
export interface YamlSource {
  readonly value: Record<string, unknown>;
  /** A problem with the value at `path`, or, when there is none, with the place where it should be. */
  problem(code: ConfigErrorCode, path: KeyPath, what: string, mend: string): ConfigProblem;
}

export type YamlResult =
  | { readonly ok: true; readonly source: YamlSource }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** `secondaries[0].port` */
export function keyName(path: KeyPath): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`))
    .join('');
}

/** Parses YAML whose top level is a mapping. Merge keys (`<<`) work, as in the YAML 1.1 of existing vehicles. */
export function parseYaml(text: string, file: string): YamlResult {
  const lines = new LineCounter();
  const problemAt = (code: ConfigErrorCode, offset: number | undefined, what: string, mend: string) => {
    const at = offset === undefined ? undefined : lines.linePos(offset);
    return { code, file, line: at?.line, column: at?.col, key: '', what, mend };
  };
  let document: Document.Parsed;
  let value: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
    if (document.errors.length > 0) {
      const problems = document.errors
        .slice(0, maxProblems)
        .map((error) =>
          problemAt(
            'yaml_invalid',
            error.pos[0],
            `is not valid YAML: ${lowerFirst(error.message)}`,
            'correct it there',
          ),
        );
      return { ok: false, problems };
    }
    value = document.toJS();
  } catch (error) {
    // Aliases that multiply, or nesting so deep that the stack ends.
    const what = `cannot be parsed: ${(error as Error).message}`;
    return { ok: false, problems: [problemAt('yaml_invalid', undefined, what, 'write it more simply')] };
  }
  if (value === null || value === undefined) {
    return {
      ok: false,
      problems: [problemAt('file_empty', undefined, 'is empty', 'write `key: value` lines')],
    };
  }
  if (!isMap(document.contents) || typeof value !== 'object') {
    const what = 'is not a mapping at its top level';
    return { ok: false, problems: [problemAt('not_a_mapping', 0, what, 'write `key: value` lines')] };
  }
  const source: YamlSource = {
    value: value as Record<string, unknown>,
    problem(code, path, what, mend) {
      return { ...problemAt(code, offsetOf(document, path), what, mend), key: keyName(path) };
    },
  };
  return { ok: true, source };
}

/** Where the key or list item at `path` starts; of one that is absent, where the nearest one around it starts. */
function offsetOf(document: Document.Parsed, path: KeyPath): number {
  for (let length = path.length; length > 0; length--) {
    const around: unknown =
      length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const key = path[length - 1];
    const pair = isMap(around) ? around.items.find((item) => String(item.key) === key) : undefined;
    const node: unknown = pair === undefined ? document.getIn(path.slice(0, length), true) : pair.key;
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range[0] ?? 0;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
