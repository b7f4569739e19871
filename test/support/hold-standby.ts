// A daemon in the middle of an update: makes the standby slot ready, leaves a part of a download, and waits to be killed.
// Usage: node hold-standby.ts DIRECTORY NODE, of a LoopDisk
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BlockEcu } from './block-ecu.ts';

const [directory, node] = process.argv.slice(2);
if (directory === undefined || node === undefined) throw new Error('DIRECTORY and NODE are missing');
const slots = await BlockEcu.attach(directory, node).open();
const tree = await slots.prepare(new AbortController().signal);
await writeFile(join(tree.work, 'part'), 'arrived');
await writeFile(join(tree.root, 'placed'), 'placed');
process.stdout.write('held\n');
setInterval(() => {}, 1_000_000);
