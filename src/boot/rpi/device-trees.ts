import type { Dirent } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SlotId } from '#boot/slots.ts';
import { copyDurably, makeDirectoryDurably } from '#host/durable-file.ts';
import { resolveInRoot } from '#host/root-path.ts';
import type { BootPartition } from './boot-partition.ts';

/**
 * Models with tryboot, by the filter of config.txt that they match; a later match wins, so that the wide `pi4` and
 * `pi5` come first. @see https://www.raspberrypi.com/documentation/computers/config_txt.html#model-filters
 */
const models: readonly (readonly [filter: string, deviceTree: string])[] = [
  ['pi4', 'bcm2711-rpi-4-b.dtb'],
  ['pi400', 'bcm2711-rpi-400.dtb'],
  ['cm4', 'bcm2711-rpi-cm4.dtb'],
  ['cm4s', 'bcm2711-rpi-cm4s.dtb'],
  ['pi5', 'bcm2712-rpi-5-b.dtb'],
  ['pi500', 'bcm2712-rpi-500.dtb'],
  ['cm5', 'bcm2712-rpi-cm5-cm5io.dtb'],
];

const begin = '# begin: device trees of this slot, written at every update';
const end = '# end: device trees of this slot';

/**
 * Gives a slot the device trees and overlays of its own kernel. `flash-kernel` writes them over those that both slots
 * boot with; here they go into a directory of the slot, named in its config.txt, and only if they differ from the shared
 * ones. An image without any keeps the shared ones.
 */
export async function installDeviceTrees(
  root: string,
  kernelVersion: string,
  partition: BootPartition,
  slot: SlotId,
): Promise<void> {
  const source = await sourceOf(root, kernelVersion);
  const differ = source !== undefined && (await differs(source, partition.directory));
  const lines = differ ? await copyTrees(source, partition.directory, slot) : [];
  await partition.setConfig(slot, withBlock(await partition.config(slot), lines));
}

interface TreeSource {
  readonly trees: readonly string[];
  readonly overlays: readonly string[];
}

/** Where Debian and Ubuntu put what their kernels bring. */
async function sourceOf(root: string, version: string): Promise<TreeSource | undefined> {
  const places = [
    `usr/lib/linux-image-${version}`,
    `usr/lib/firmware/${version}/device-tree`,
    `lib/firmware/${version}/device-tree`,
  ];
  for (const place of places) {
    const directory = await resolveInRoot(root, place);
    const wanted = new Set(models.map(([, name]) => name));
    const trees = (await filesIn(join(directory, 'broadcom'))).filter((path) => wanted.has(nameOf(path)));
    if (trees.length > 0) return { trees, overlays: await filesIn(join(directory, 'overlays')) };
  }
  return undefined;
}

async function differs({ trees, overlays }: TreeSource, shared: string): Promise<boolean> {
  for (const path of trees) if (!(await same(path, join(shared, nameOf(path))))) return true;
  for (const path of overlays) if (!(await same(path, join(shared, 'overlays', nameOf(path))))) return true;
  return false;
}

/** Gives the lines that name the copies. */
async function copyTrees({ trees, overlays }: TreeSource, boot: string, slot: SlotId): Promise<string[]> {
  const target = join(boot, slot);
  await makeDirectoryDurably(join(target, 'overlays'));
  for (const path of trees) await copyDurably(path, join(target, nameOf(path)));
  for (const path of overlays) await copyDurably(path, join(target, 'overlays', nameOf(path)));
  const names = new Set(trees.map((path) => nameOf(path)));
  const chosen = models.filter(([, name]) => names.has(name));
  const lines = chosen.flatMap(([filter, name]) => [`[${filter}]`, `device_tree=${slot}/${name}`]);
  return [...lines, '[all]', ...(overlays.length === 0 ? [] : [`overlay_prefix=${slot}/overlays/`])];
}

/** Replaces the block in a configuration by another, or by none. */
function withBlock(config: string, lines: readonly string[]): string {
  const [from, to] = [config.indexOf(begin), config.indexOf(end)];
  const without =
    from < 0 || to < from ? config : config.slice(0, from) + config.slice(to + end.length).replace(/^\n/, '');
  if (lines.length === 0) return without;
  // First: `overlay_prefix` counts for the dtoverlay lines after it.
  return `${[begin, ...lines, end].join('\n')}\n${without}`;
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((): Dirent[] => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => join(directory, name));
}

async function same(a: string, b: string): Promise<boolean> {
  const old = await readFile(b).catch(() => undefined);
  return old?.equals(await readFile(a)) ?? false;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
