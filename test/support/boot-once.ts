/**
 * One life of an ECU on boot control `directory`, to be killed at any moment: boots, and either confirms a first boot or
 * installs the next version into the standby slot. Prints the slot and version it found running, or what is wrong.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootDirectorySlots } from '#boot/directory.ts';

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: boot-once DIRECTORY');

const slots = await bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
const [verdict, current] = [await slots.judge(), await slots.current()];
const whole = await readFile(join(slots.activeRoot, 'whole'), 'utf8').catch(() => 'torn');
if (whole !== current.version && current.version !== '') {
  process.stdout.write(`WRONG: ${current.id} says ${current.version} and holds ${whole}\n`);
  process.exit(1);
}
process.stdout.write(`${verdict.kind} ${current.id} ${whole}\n`);

if (verdict.kind === 'first_boot') {
  await slots.confirm();
} else {
  if (verdict.kind === 'fell_back') await slots.record('FAILURE', verdict.failure);
  const tree = await slots.prepare(new AbortController().signal);
  await rm(join(tree.root, 'whole'), { force: true });
  await writeFile(join(tree.root, 'part'), 'x'.repeat(100_000));
  const version = String(Number(whole) + 1);
  await writeFile(join(tree.root, 'whole'), version);
  await slots.activate(tree, { version, detail: undefined, imageDigest: version });
}
process.stdout.write('done\n');
