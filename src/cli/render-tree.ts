import type { Style } from './render-style.ts';
import type { EcuRow } from './vehicle-view.ts';

/** An ECU in the tree of the vehicle. */
export interface Branch {
  readonly row: EcuRow;
  /** What stands before its name. */
  readonly stem: string;
  /** What stands before every further line about it, as wide as `stem`. */
  readonly below: string;
}

/**
 * The rows as a tree, parents before their children, each level in the order of the rows. An ECU whose parent is not
 * known, is not among the rows or is below the ECU itself stands at the root.
 */
export function branchesOf(rows: readonly EcuRow[], style: Style): Branch[] {
  const known = new Map(rows.map((row) => [row.ecuId, row]));
  const children = new Map<string, EcuRow[]>();
  const roots: EcuRow[] = [];
  for (const row of rows) {
    const parent = row.parentEcuId;
    if (parent === '' || !known.has(parent) || isBelowItself(row, known)) roots.push(row);
    else children.set(parent, [...(children.get(parent) ?? []), row]);
  }
  const [fork, last, trunk] = style.unicode ? ['├ ', '└ ', '│ '] : ['|-', '`-', '| '];
  const branches: Branch[] = [];
  const add = (row: EcuRow, stem: string, beside: string): void => {
    const own = children.get(row.ecuId) ?? [];
    branches.push({ row, stem, below: beside + (own.length > 0 ? trunk : '  ') });
    own.forEach((child, index) => {
      const isLast = index === own.length - 1;
      add(child, beside + (isLast ? last : fork), beside + (isLast ? '  ' : trunk));
    });
  };
  for (const root of roots) add(root, '', '');
  return branches;
}

/** What ECUs say of their parents may be wrong. */
function isBelowItself(row: EcuRow, known: ReadonlyMap<string, EcuRow>): boolean {
  const seen = new Set<string>();
  let at: EcuRow | undefined = row;
  while (at !== undefined && at.parentEcuId !== '') {
    if (seen.has(at.ecuId)) return at === row;
    seen.add(at.ecuId);
    at = known.get(at.parentEcuId);
  }
  return false;
}
