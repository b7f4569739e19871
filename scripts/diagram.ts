/**
 * Draws the machine of one ECU into docs/state-machine.md, from the machine itself.
 * `--check` writes nothing and fails when the page is not what the machine says.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createEcuMachine } from '#update/machine.ts';
import type { UpdateSteps } from '#update/steps.ts';

interface Transition {
  readonly eventType: string;
  readonly target: readonly StateNode[] | undefined;
  readonly guard?: unknown;
}

/** The part of a state of the machine that is drawn. */
interface StateNode {
  readonly id: string;
  readonly key: string;
  readonly description: string | undefined;
  readonly tags: readonly string[];
  readonly initial: { readonly target: readonly StateNode[] | undefined };
  readonly states: Readonly<Record<string, StateNode>>;
  readonly transitions: ReadonlyMap<string, readonly Transition[]>;
  readonly always?: readonly Transition[];
}

const page = new URL('../docs/state-machine.md', import.meta.url);

/** The machine calls no step while it is only looked at. */
const noSteps = new Proxy({} as UpdateSteps, {
  get: () => () => Promise.reject(new Error('the diagram runs nothing')),
});

function text(root: StateNode): string {
  return `# The machine of one ECU

Made by \`npm run diagram\` from \`src/update/machine.ts\`; do not edit. Each ECU runs one such machine. The word in
brackets is the status that readers see. A request in a state without an arrow for it is refused as busy.

\`\`\`mermaid
stateDiagram-v2
${inner(root, '  ').join('\n')}
${arrows(root).join('\n')}
\`\`\`

| state | status | what happens |
| --- | --- | --- |
${rows(root, []).join('\n')}
`;
}

/** Names in the diagram are paths: \`updating_building_placing\`. */
function nameOf(node: StateNode): string {
  return node.id.replaceAll('.', '_');
}

function children(node: StateNode): StateNode[] {
  return Object.values(node.states);
}

function inner(node: StateNode, indent: string): string[] {
  const lines = (node.initial.target ?? []).map((first) => `${indent}[*] --> ${nameOf(first)}`);
  for (const child of children(node)) {
    const label = child.tags.length > 0 ? `${child.key} [${child.tags.join()}]` : child.key;
    lines.push(`${indent}state "${label}" as ${nameOf(child)}`);
    if (children(child).length === 0) continue;
    lines.push(`${indent}state ${nameOf(child)} {`, ...inner(child, `${indent}  `), `${indent}}`);
  }
  return lines;
}

/** After all states, so that an arrow never declares one. */
function arrows(node: StateNode): string[] {
  const own = [...node.transitions.values(), node.always ?? []].flat();
  const lines = own.flatMap((transition) =>
    (transition.target ?? []).map(
      (target) => `  ${nameOf(node)} --> ${nameOf(target)}${labelOf(transition)}`,
    ),
  );
  return [...new Set(lines), ...children(node).flatMap(arrows)];
}

function labelOf({ eventType, guard }: Transition): string {
  if (guard !== undefined) return ` : ${guardText(guard)}`;
  if (eventType === '') return ' : otherwise';
  if (eventType.startsWith('xstate.done.')) return ' : done';
  if (eventType.startsWith('xstate.error.')) return ' : failed';
  const after = /^xstate\.after\.(\w+)\./.exec(eventType);
  return after === null ? ` : ${eventType}` : ` : after ${after[1]}`;
}

function guardText(guard: unknown): string {
  const { type, params } = guard as { type: string; params?: Record<string, string> };
  return `${type} ${Object.values(params ?? {}).join()}`.trim();
}

function rows(node: StateNode, tags: readonly string[]): string[] {
  return children(node).flatMap((child) => {
    const status = child.tags.length > 0 ? child.tags : tags;
    const row = `| ${child.id.replace(/^ecu\./, '')} | ${status.join()} | ${child.description ?? ''} |`;
    const said = child.description !== undefined || children(child).length === 0;
    return [...(said ? [row] : []), ...rows(child, status)];
  });
}

const machine = createEcuMachine(noSteps);
const wanted = text(machine.root as unknown as StateNode);
if (process.argv.includes('--check')) {
  const found = await readFile(page, 'utf8').catch(() => '');
  if (found !== wanted) {
    process.stderr.write('docs/state-machine.md is not what the machine says: run `npm run diagram`\n');
    process.exitCode = 1;
  }
} else {
  await writeFile(page, wanted);
}
