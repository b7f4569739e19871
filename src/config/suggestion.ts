import { optionList } from './option-list.ts';

/** What to do about a name that no option has: the nearest known name, if there is one near enough. */
export function suggestion(name: string): string {
  const wanted = lettersOf(name);
  const [best] = knownNames(name.startsWith('OTA_'))
    .map((known) => ({ known, distance: editDistance(wanted, lettersOf(known)) }))
    .toSorted((a, b) => a.distance - b.distance);
  const near = best !== undefined && best.distance <= Math.max(2, wanted.length / 4);
  return near ? `write ${best.known}, or take it out` : 'take it out, or see the table in docs/operations.md';
}

function knownNames(ofVariables: boolean): string[] {
  if (ofVariables) return optionList.map((option) => option.variable);
  // Sections as well as options.
  const names = optionList.flatMap(({ path }) => path.map((_, at) => path.slice(0, at + 1).join('.')));
  return [...new Set(names)];
}

/** Underscores and dashes are what people mix up first. */
function lettersOf(name: string): string {
  const letters = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return letters.slice(0, 64);
}

/** Levenshtein's distance: letters to insert, drop or replace. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const replaced = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
