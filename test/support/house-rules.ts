import { findCycles, type Import, resolveImport, type SourceFile, scanImports } from './module-graph.ts';

/** What the house allows. Folders are those directly below `src`; a file directly in `src` is a door. */
export interface HouseRules {
  /** The folders that each folder, and each door, may import from besides itself. */
  readonly mayImport: Readonly<Record<string, readonly string[]>>;
  /** Single modules that may import from one folder more. */
  readonly exceptions: Readonly<Record<string, readonly string[]>>;
  /** Packages and modules of Node that only these folders may import. */
  readonly homes: Readonly<Record<string, readonly string[]>>;
  /** Packages that the installed product has. */
  readonly packages: readonly string[];
  readonly forbiddenFolders: readonly string[];
  readonly maxLines: number;
}

/** Everything in `files` that breaks the rules, one line each; generated code is only checked as a target. */
export function breaches(files: readonly SourceFile[], rules: HouseRules): string[] {
  const known = new Set(files.map((file) => file.path));
  const edges = new Map<string, string[]>();
  const found: string[] = [];
  for (const file of files) {
    found.push(...shapeBreaches(file, rules));
    if (!file.path.startsWith('src/') || file.path.startsWith('src/gen/')) continue;
    const targets: string[] = [];
    for (const imported of scanImports(file)) {
      const target = resolveImport(file.path, imported.specifier);
      found.push(
        ...(target === undefined
          ? packageBreaches(file.path, imported.specifier, rules)
          : importBreaches(file.path, imported, target, known, rules)),
      );
      if (target !== undefined && imported.kind !== 'worker') targets.push(target);
    }
    edges.set(file.path, targets);
  }
  return [...found, ...findCycles(edges).map((cycle) => `cycle: ${cycle.join(' > ')}`)];
}

function shapeBreaches({ path, text }: SourceFile, rules: HouseRules): string[] {
  const lines = text.trimEnd().split('\n').length;
  const folder = path.split('/').find((name) => rules.forbiddenFolders.includes(name));
  if (path.startsWith('src/gen/')) return [];
  return [
    ...(folder === undefined ? [] : [`${path}: a folder called ${folder} says nothing about what is in it`]),
    ...(lines > rules.maxLines ? [`${path}: ${lines} lines, more than ${rules.maxLines}`] : []),
    ...(/^export default\b|^export\s*\{[^}]*\bas default\b/m.test(text)
      ? [`${path}: has a default export`]
      : []),
  ];
}

function importBreaches(
  from: string,
  { specifier, kind }: Import,
  target: string,
  known: ReadonlySet<string>,
  { mayImport, exceptions }: HouseRules,
): string[] {
  const [home, folder] = [partOf(from), partOf(target)];
  const sameDirectory = from.slice(0, from.lastIndexOf('/')) === target.slice(0, target.lastIndexOf('/'));
  const allowed = mayImport[home];
  return [
    ...(known.has(target) ? [] : [`${from}: imports ${specifier}, which does not exist`]),
    ...(specifier.includes('../')
      ? [`${from}: imports ${specifier}; write #${target.slice('src/'.length)}`]
      : []),
    ...(sameDirectory && specifier.startsWith('#') && kind !== 'worker'
      ? [`${from}: imports ${specifier} of its own folder; write ./`]
      : []),
    ...(allowed === undefined ? [`${from}: ${home} is not in the table of who may import whom`] : []),
    ...(home === folder || allowed?.includes(folder) || exceptions[from]?.includes(folder)
      ? []
      : [`${from}: ${home} may not import ${specifier}`]),
  ];
}

function packageBreaches(from: string, specifier: string, { homes, packages }: HouseRules): string[] {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const homesOfIt = homes[name];
  const installed = specifier.startsWith('node:') || packages.includes(name);
  return [
    ...(installed ? [] : [`${from}: imports ${specifier}, which is not among the dependencies`]),
    ...(homesOfIt === undefined || homesOfIt.includes(partOf(from))
      ? []
      : [`${from}: only ${homesOfIt.join(', ')} may import ${specifier}`]),
  ];
}

/** The folder below `src`, or the name of a file that lies directly in it. What runs in browsers is a part of its own. */
function partOf(path: string): string {
  if (path.startsWith('src/dashboard/page/')) return 'dashboard/page';
  return path.split('/')[1] ?? path;
}
