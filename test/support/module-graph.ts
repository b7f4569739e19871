import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';

/** One module of the project, as text. */
export interface SourceFile {
  /** Relative to the project, with slashes: `src/config/load.ts`. */
  readonly path: string;
  readonly text: string;
}

/** One place where a module names another. */
export interface Import {
  readonly specifier: string;
  /** `worker`: started by URL, so that it loads in another thread and closes no cycle. */
  readonly kind: 'static' | 'dynamic' | 'worker';
}

/** All `.ts` and `.tsx` files below `folder` of the project at `root`. */
export function readSources(root: string, folder: string): SourceFile[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(root, folder, name))
    .map((file) => ({
      path: relative(root, file).split(sep).join('/'),
      text: readFileSync(file, 'utf8'),
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Every import of a module: static, re-exported, for side effects, of types, dynamic, and workers started by URL.
 * Relies on the formatter (statements start their line, quotes are single or double), and throws where a line starts like
 * an import but is not understood, so that nothing is passed over.
 */
export function scanImports({ path, text }: SourceFile): Import[] {
  const found = (pattern: RegExp, kind: Import['kind']) =>
    Array.from(text.matchAll(pattern), (match): Import => ({ specifier: match[2] ?? '', kind }));
  const imports = found(/^import\b[^'"`;=()]*(['"])([^'"]+)\1/gm, 'static');
  const statements = text.match(/^import\b(?![(.])/gm)?.length ?? 0;
  if (imports.length !== statements) throw new Error(`${path}: an import statement is not understood`);
  const dynamic = found(/\bimport\(\s*(['"])([^'"]+)\1/g, 'dynamic');
  if (dynamic.length !== (text.match(/\bimport\(/g)?.length ?? 0)) {
    throw new Error(`${path}: a dynamic import does not name its module by a literal`);
  }
  return [
    ...imports,
    ...found(/^export\b[^'"`;=()]*\bfrom\s+(['"])([^'"]+)\1/gm, 'static'),
    ...dynamic,
    ...found(/\bnew URL\(\s*(['"])(\.[^'"]*\.ts)\1/g, 'worker'),
  ];
}

/** The project's path of an imported module; undefined for packages and Node's own modules. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return `src/${specifier.slice(1)}`;
  return specifier.startsWith('.')
    ? normalize(join(dirname(from), specifier))
        .split(sep)
        .join('/')
    : undefined;
}

/** One cycle per knot of modules, as a list of paths that ends where it starts. */
export function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (node: string, trail: readonly string[]): void => {
    const at = trail.indexOf(node);
    if (at >= 0) cycles.push([...trail.slice(at), node]);
    if (at >= 0 || done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return cycles;
}
