import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import { ecuNames } from './ecu-name.ts';
import { ecuRoot, overlaySignals } from './overlay.ts';
import { diagnosticsRoot, diagnosticsSignals } from './overlay-diagnostics.ts';
import { hostSignals } from './overlay-host.ts';
import { overlayRoot, vehicleSignals } from './overlay-vehicle.ts';

interface OverlayLeaf {
  readonly path: string;
  readonly type: 'sensor' | 'attribute';
  readonly datatype: VssDatatype;
  readonly unit?: string | undefined;
  readonly description: string;
}

interface OverlayBranch {
  readonly path: string;
  readonly type: 'branch';
  readonly description: string;
}

type OverlayNode = OverlayLeaf | OverlayBranch;

/** Every node of the overlay of a vehicle with these ECUs, parents before children. */
function overlayNodes(ecuIds: readonly string[]): readonly OverlayNode[] {
  const leaves = (
    root: string,
    signals: Readonly<Record<string, Omit<OverlayLeaf, 'path' | 'type'>>>,
  ): OverlayLeaf[] =>
    Object.entries(signals).map(([name, signal]) => ({ ...signal, path: `${root}.${name}`, type: 'sensor' }));
  return [
    { path: overlayRoot, type: 'branch', description: 'Software updates over the air.' },
    ...vehicleSignals.map(({ name, datatype, description }): OverlayLeaf => {
      return { path: `${overlayRoot}.${name}`, type: 'sensor', datatype, description };
    }),
    { path: diagnosticsRoot, type: 'branch', description: 'How the diagnostics of updates fare.' },
    ...leaves(diagnosticsRoot, diagnosticsSignals),
    { path: ecuRoot, type: 'branch', description: 'The ECUs that are updated.' },
    ...[...ecuNames(ecuIds)].flatMap(([ecuId, name]): readonly OverlayNode[] => [
      { path: `${ecuRoot}.${name}`, type: 'branch', description: `The ECU ${ecuId}.` },
      ...overlaySignals.map(({ name: leaf, type, datatype, unit, description }): OverlayLeaf => {
        return { path: `${ecuRoot}.${name}.${leaf}`, type, datatype, unit, description };
      }),
      {
        path: `${ecuRoot}.${name}.Host`,
        type: 'branch',
        description: `How the host of the ECU ${ecuId} fares.`,
      },
      ...leaves(`${ecuRoot}.${name}.Host`, hostSignals),
    ]),
  ];
}

interface JsonNode {
  readonly children?: Record<string, JsonNode>;
  readonly [key: string]: unknown;
}

/**
 * The overlay as vss-tools exports JSON, to be given to a databroker beside its catalog. A change of a value is told, its
 * repetition is not (`x-kuksa-changetype`).
 */
export function overlayJson(ecuIds: readonly string[]): string {
  const root: { readonly children: Record<string, JsonNode> } & JsonNode = {
    type: 'branch',
    description: 'The vehicle.',
    children: {},
  };
  for (const node of overlayNodes(ecuIds)) {
    const names = node.path.split('.').slice(1);
    const last = names.pop() ?? '';
    const parent = names.reduce<JsonNode>((at, name) => at.children?.[name] ?? at, root);
    if (parent.children !== undefined) parent.children[last] = jsonNode(node);
  }
  return `${JSON.stringify({ Vehicle: root }, undefined, 2)}\n`;
}

function jsonNode(node: OverlayNode): JsonNode {
  const { type, description } = node;
  if (node.type === 'branch') return { type, description, children: {} };
  const { datatype, unit } = node;
  return {
    type,
    datatype,
    ...(unit === undefined ? {} : { unit }),
    description,
    'x-kuksa-changetype': 'onchange',
  };
}

/** The same as vspec, an overlay for vss-tools (`-l`) on a catalog with the root `Vehicle`. */
export function overlayVspec(ecuIds: readonly string[]): string {
  const blocks = overlayNodes(ecuIds).map((node) => {
    const fields =
      node.type === 'branch'
        ? [['type', node.type]]
        : [
            ['datatype', node.datatype],
            ['type', node.type],
            ...(node.unit === undefined ? [] : [['unit', node.unit]]),
          ];
    // JSON texts are YAML texts, whatever is in a name of an ECU.
    const lines = [...fields, ['description', JSON.stringify(node.description)]];
    return `${node.path}:\n${lines.map(([key, value]) => `  ${key}: ${value}\n`).join('')}`;
  });
  return blocks.join('\n');
}
