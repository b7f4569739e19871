import ignore from 'ignore';
import type { Ignored } from './source.ts';

/** Ignore rules in .gitignore syntax, one pattern a line, as if the file lay in the source's root. */
export function ignoreRules(lines: readonly string[]): Ignored {
  if (lines.length === 0) return () => false;
  // The package folds case unless told otherwise; the file systems of vehicles do not.
  const rules = ignore({ ignorecase: false }).add([...lines]);
  return (path, isDirectory) => {
    const relative = path.slice(1);
    return relative !== '' && rules.ignores(isDirectory ? `${relative}/` : relative);
  };
}
