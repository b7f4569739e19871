const digits = ['Zero', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine'];

/**
 * Names for ECUs in VSS paths: letters only, each word with a capital, digits spelt out, since the catalog's rules allow no
 * digits 2 to 9. Different ids get different names, the same ids in the same order always the same ones.
 */
export function ecuNames(ids: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const id of ids) {
    const base = nameOf(id);
    let name = base;
    // Compared without case: two paths of VSS may not differ by case only.
    for (let copy = 0; taken.has(name.toLowerCase()); copy++) name = `${base}${nameOf(`copy ${copy}`)}`;
    taken.add(name.toLowerCase());
    names.set(id, name);
  }
  return names;
}

function nameOf(id: string): string {
  const words = spelt(id)
    .split(/[^A-Za-z]+/)
    .filter((word) => word !== '');
  const name = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('');
  return name === '' ? 'Ecu' : name;
}

function spelt(text: string): string {
  return text.replace(/[0-9]/g, (digit) => ` ${digits[Number(digit)]} `);
}
