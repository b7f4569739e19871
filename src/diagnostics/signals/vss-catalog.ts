import { readFileSync } from 'node:fs';
import {
  toValue,
  type VssDatatype,
  type VssScalar,
  type VssValue,
  vssDatatype,
} from '#diagnostics/messages/vss-value.ts';

export type LeafKind = 'attribute' | 'sensor' | 'actuator';

/** One signal as a vss.json has it. */
export interface CatalogLeaf {
  readonly path: string;
  readonly kind: LeafKind;
  readonly datatype: VssDatatype;
  readonly description: string;
  readonly unit: string;
  readonly min: VssScalar | undefined;
  readonly max: VssScalar | undefined;
  readonly allowed: readonly VssScalar[] | undefined;
  readonly initial: VssValue | undefined;
}

/** What is wrong with a vss.json: file, path, and how to mend it. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError';
}

type Node = Readonly<Record<string, unknown>>;

/** Reads catalogs as the JSON exporter of vss-tools writes them; of two with the same path the later one counts. */
export function readCatalogs(files: readonly string[]): ReadonlyMap<string, CatalogLeaf> {
  const leaves = new Map<string, CatalogLeaf>();
  for (const file of files) {
    let tree: unknown;
    try {
      tree = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      throw new CatalogError(`${file}: ${(error as Error).message}`, { cause: error });
    }
    for (const leaf of parseCatalog(tree, file)) leaves.set(leaf.path, leaf);
  }
  return leaves;
}

/** Errors: CatalogError for the first node that is wrong. */
export function parseCatalog(tree: unknown, file: string): readonly CatalogLeaf[] {
  if (!isNode(tree)) throw new CatalogError(`${file}: is to be an object, such as {"Vehicle": {...}}`);
  return Object.entries(tree).flatMap(([name, node]) => leavesOf(name, node, file));
}

function leavesOf(path: string, node: unknown, file: string): readonly CatalogLeaf[] {
  const wrong = (what: string): CatalogError => new CatalogError(`${file}: ${path}: ${what}`);
  if (!isNode(node)) throw wrong('is to be an object with type and description');
  const { type, description, children } = node;
  if (typeof description !== 'string') throw wrong('has no description: write one');
  if (type === 'branch') {
    if (!isNode(children)) throw wrong('is a branch without children: add children, or make it a signal');
    return Object.entries(children).flatMap(([name, child]) => leavesOf(`${path}.${name}`, child, file));
  }
  if (type !== 'attribute' && type !== 'sensor' && type !== 'actuator')
    throw wrong(`has type ${JSON.stringify(type)}: write branch, attribute, sensor or actuator`);
  const datatype = vssDatatype(String(node['datatype']));
  if (datatype === undefined)
    throw wrong(`has datatype ${JSON.stringify(node['datatype'])}: structs and others are not served`);
  const item = vssDatatype(datatype.replace('[]', '')) ?? datatype;
  const fit = (key: string, as: VssDatatype, value: unknown): VssValue => {
    try {
      toValue(as, value as VssValue);
      return value as VssValue;
    } catch (error) {
      throw wrong(`${key}: ${(error as Error).message}`);
    }
  };
  const limit = (key: 'min' | 'max'): VssScalar | undefined =>
    node[key] === undefined ? undefined : (fit(key, item, node[key]) as VssScalar);
  const { allowed, unit } = node;
  if (allowed !== undefined && !Array.isArray(allowed)) throw wrong('allowed: write a list');
  return [
    {
      path,
      kind: type,
      datatype,
      description,
      unit: typeof unit === 'string' ? unit : '',
      min: limit('min'),
      max: limit('max'),
      allowed: allowed?.map((value) => fit('allowed', item, value) as VssScalar),
      initial: node['default'] === undefined ? undefined : fit('default', datatype, node['default']),
    },
  ];
}

/** Why this value may not be published; undefined when it may. */
export function refusalOf(leaf: CatalogLeaf, value: VssValue): string | undefined {
  const items: readonly VssScalar[] = Array.isArray(value) ? value : [value as VssScalar];
  for (const item of items) {
    if (leaf.allowed !== undefined && !leaf.allowed.includes(item)) return 'is not among the allowed values';
    if (leaf.min !== undefined && item < leaf.min) return 'is below the minimum';
    if (leaf.max !== undefined && item > leaf.max) return 'is above the maximum';
  }
  return undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
