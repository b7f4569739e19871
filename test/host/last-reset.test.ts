import assert from 'node:assert/strict';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { listCrashRecords, watchdogsThatReset } from '#host/last-reset.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

test('crash records are found in the kernel and where systemd puts them away; logs of every boot are none', async (t) => {
  const root = await scratchDirectory(t);
  const places = {
    crashRecords: [join(root, 'pstore'), join(root, 'archive'), '/does/not/exist'],
    watchdogs: '',
  };
  await mkdir(join(root, 'pstore'));
  await mkdir(join(root, 'archive/1700000000/001'), { recursive: true });
  for (const path of [
    'pstore/dmesg-ramoops-0',
    'pstore/console-ramoops-0',
    'pstore/pmsg-ramoops-0',
    'archive/1700000000/001/dmesg-efi-1',
    'archive/1700000000/console-ramoops-0',
  ]) {
    await writeFile(join(root, path), 'Oops');
    await utimes(join(root, path), 7, 7);
  }
  assert.deepEqual(await listCrashRecords(places), [
    `${root}/archive/1700000000/001/dmesg-efi-1 4 7000`,
    `${root}/pstore/dmesg-ramoops-0 4 7000`,
  ]);
});

test('a watchdog that reset the machine says so in a bit', async (t) => {
  const watchdogs = await scratchDirectory(t);
  for (const [name, text] of Object.entries({
    watchdog0: '32\n',
    watchdog1: '0\n',
    watchdog2: '33\n',
    watchdog3: 'x',
  })) {
    await mkdir(join(watchdogs, name));
    await writeFile(join(watchdogs, name, 'bootstatus'), text);
  }
  await mkdir(join(watchdogs, 'watchdog4'));
  assert.deepEqual(await watchdogsThatReset({ crashRecords: [], watchdogs }), ['watchdog0', 'watchdog2']);
  assert.deepEqual(await watchdogsThatReset({ crashRecords: [], watchdogs: '/does/not/exist' }), []);
});
