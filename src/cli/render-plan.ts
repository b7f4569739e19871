import type { UpdatePlan } from '#update/plan-update.ts';
import type { Style } from './render-style.ts';
import { paint } from './render-style.ts';
import { table } from './render-table.ts';
import { harmless, wrap } from './render-text.ts';
import { humanBytes, humanCount } from './render-units.ts';

type Space = UpdatePlan['space'];

/** Whether the standby slot has room for the image. */
export function fits(space: Space): boolean {
  const inodesFit = space.availableInodes === undefined || space.neededInodes <= space.availableInodes;
  return space.neededBytes <= space.availableBytes && inodesFit;
}

function spaceText(space: Space): string {
  const inodes =
    space.availableInodes === undefined
      ? ''
      : ` and ${humanCount(space.neededInodes)} of ${humanCount(space.availableInodes)} inodes`;
  return `needs ${humanBytes(space.neededBytes)} of ${humanBytes(space.availableBytes)} in the standby slot${inodes}`;
}

/** What an update would do and cost, as lines of text. */
export function renderPlan(plan: UpdatePlan, style: Style): string[] {
  const rows = [
    ['copy', plan.copy, 'this ECU has it already'],
    ['link', plan.link, 'another name of a file in the image'],
    ['download', plan.download, 'fewer bytes on the wire where the image is compressed'],
    ['total', plan.total, ''],
  ] as const;
  const cells = rows.map(([name, amount, note]) => [
    { text: name, painted: (text: string) => paint(style, 'bold', text) },
    { text: humanCount(amount.files) },
    { text: humanBytes(amount.bytes) },
    { text: note, painted: (text: string) => paint(style, 'dim', text) },
  ]);
  const columns = [
    { title: '' },
    { title: 'FILES', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: '', maxWidth: Math.max(0, style.columns - 34) },
  ] as const;
  const room = fits(plan.space);
  const facts = [
    `image ${plan.imageDigest}`,
    `${humanCount(plan.directories)} directories, ${humanCount(plan.symlinks)} symbolic links`,
    plan.persistents.length === 0
      ? ''
      : `carried over: ${plan.persistents.map((path) => harmless(path)).join(', ')}`,
    `${spaceText(plan.space)}: ${room ? 'fits' : 'does not fit'}`,
  ].filter((fact) => fact !== '');
  const lines = facts.flatMap((fact, index) =>
    wrap(fact, style.columns).map((line) =>
      index === facts.length - 1 ? paint(style, room ? 'green' : 'red', line) : line,
    ),
  );
  return [...table(columns, cells, { paintTitle: (text) => paint(style, 'dim', text) }), '', ...lines];
}

/** The stable JSON of a plan, documented in docs/cli.md. */
export function planJson(plan: UpdatePlan, url: string): object {
  const { space } = plan;
  return {
    type: 'plan',
    url,
    image_digest: plan.imageDigest,
    directories: plan.directories,
    symlinks: plan.symlinks,
    total: plan.total,
    copy: plan.copy,
    link: plan.link,
    download: plan.download,
    persistents: plan.persistents,
    needed_bytes: space.neededBytes,
    available_bytes: space.availableBytes,
    needed_inodes: space.neededInodes,
    available_inodes: space.availableInodes ?? null,
    fits: fits(space),
  };
}
