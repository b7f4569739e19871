import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { BlockEcuOptions } from './block-ecu.ts';
import { BlockEcu } from './block-ecu.ts';
import { UpdateWorld } from './update-world.ts';

const twin = randomBytes(64_000);

/** A small release with what trees consist of. */
export const smallRelease = {
  'usr/bin/tool': { content: randomBytes(300_000), mode: 0o4755 },
  'usr/lib/other': randomBytes(40_000),
  'usr/lib/twin': twin,
  'usr/lib/twin-too': twin,
  'etc/name': 'two',
  'etc/link': { symlink: 'name' },
  'var/empty': { directory: 0o1777 },
} as const;

/** An ECU with slots on partitions, and a site that publishes releases. */
export async function blockWorld(
  t: TestContext,
  options: BlockEcuOptions = {},
): Promise<[ecu: BlockEcu, site: UpdateWorld]> {
  const ecu = await BlockEcu.create(t, options);
  return [ecu, await UpdateWorld.create(t)];
}

/** Updates the ECU to what is published; returns the differences between slot_b and the image afterwards. */
export async function updateBlockEcu(ecu: BlockEcu, site: UpdateWorld): Promise<string[]> {
  await using slots = await ecu.open();
  const { image, tree } = await site.update({ slots });
  await slots.activate(tree, { version: '2', detail: undefined, imageDigest: image.digest });
  const ours = ['/boot', '/lost+found'];
  return ecu.disk.inside(2, (root) => site.differences(image, ours, root));
}

/** Mounts of all processes that have to do with a path. */
export function mountsWith(path: string): string[] {
  const script = `cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -F ${path} || true`;
  const lines = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line !== '');
}
