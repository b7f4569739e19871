import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { BootPartition } from '#boot/rpi/boot-partition.ts';
import { installDeviceTrees } from '#boot/rpi/device-trees.ts';
import { RpiFirmware } from '../../support/rpi-firmware.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const version = '5.15.0-1045-raspi';

interface Slots {
  readonly directory: string;
  readonly partition: BootPartition;
  /** A release with one device tree and one overlay. */
  readonly release: (tree: string, overlay: string, place?: string) => Promise<string>;
}

async function slots(t: TestContext): Promise<Slots> {
  const boot = await scratchDirectory(t);
  const directory = join(boot, 'firmware');
  await RpiFirmware.laidOut(directory);
  await writeFile(join(directory, 'bcm2711-rpi-4-b.dtb'), 'tree 1');
  await writeFile(join(directory, 'overlays/vc4-kms-v3d.dtbo'), 'overlay 1');
  const partition = await BootPartition.find(boot);
  assert.ok(partition);
  return {
    directory,
    partition,
    release: async (tree, overlay, place = `lib/firmware/${version}/device-tree`) => {
      const root = await scratchDirectory(t);
      await mkdir(join(root, place, 'broadcom'), { recursive: true });
      await mkdir(join(root, place, 'overlays'));
      await writeFile(join(root, place, 'broadcom/bcm2711-rpi-4-b.dtb'), tree);
      await writeFile(join(root, place, 'overlays/vc4-kms-v3d.dtbo'), overlay);
      return root;
    },
  };
}

test('device trees that differ get a directory of the slot; those that both slots share are left', async (t) => {
  const { directory, partition, release } = await slots(t);
  const before = await partition.config('slot_b');
  await installDeviceTrees(await release('tree 2', 'overlay 1'), version, partition, 'slot_b');
  assert.equal(
    await partition.config('slot_b'),
    '# begin: device trees of this slot, written at every update\n[pi4]\ndevice_tree=slot_b/bcm2711-rpi-4-b.dtb\n' +
      `[all]\noverlay_prefix=slot_b/overlays/\n# end: device trees of this slot\n${before}`,
  );
  assert.equal(await readFile(join(directory, 'slot_b/bcm2711-rpi-4-b.dtb'), 'utf8'), 'tree 2');
  assert.equal(await readFile(join(directory, 'slot_b/overlays/vc4-kms-v3d.dtbo'), 'utf8'), 'overlay 1');
  assert.equal(await readFile(join(directory, 'bcm2711-rpi-4-b.dtb'), 'utf8'), 'tree 1');
  await partition.check();
  await installDeviceTrees(await release('tree 1', 'overlay 1'), version, partition, 'slot_b');
  assert.equal(await partition.config('slot_b'), before, 'the next release needs none of its own');
});

test('device trees are found where Debian puts them, and an image without any changes nothing', async (t) => {
  const { directory, partition, release } = await slots(t);
  const before = await partition.config('slot_b');
  await installDeviceTrees(await scratchDirectory(t), version, partition, 'slot_b');
  assert.equal(await partition.config('slot_b'), before);
  assert.ok(!(await readdir(directory)).includes('slot_b'));
  const root = await release('tree 2', 'overlay 2', `usr/lib/linux-image-${version}`);
  await installDeviceTrees(root, version, partition, 'slot_b');
  assert.match(await partition.config('slot_b'), /device_tree=slot_b/);
});

test('device trees behind a link are those of the release, not those of the running one', async (t) => {
  const { directory, partition, release } = await slots(t);
  const place = `lib/firmware/${version}/device-tree`;
  const running = await release('tree of the running release', 'overlay 1');
  const root = await release('tree 2', 'overlay 1', `usr/${place}`);
  // A link that is followed by the system that runs leads there.
  await symlink(join(running, 'lib'), join(root, 'lib'));
  await mkdir(join(root, running), { recursive: true });
  await symlink('/usr/lib', join(root, running, 'lib'));
  await rename(join(root, 'usr/lib/firmware', version), join(root, 'usr/lib/firmware-moved'));
  await mkdir(join(root, 'usr/lib/firmware', version), { recursive: true });
  await symlink(
    '/usr/lib/firmware-moved/device-tree',
    join(root, 'usr/lib/firmware', version, 'device-tree'),
  );
  await installDeviceTrees(root, version, partition, 'slot_b');
  assert.equal(await readFile(join(directory, 'slot_b/bcm2711-rpi-4-b.dtb'), 'utf8'), 'tree 2');
});
