import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { runOta, startOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

test('serve runs the daemon that status then asks, until it is told to stop', async (t) => {
  const directory = await scratchDirectory(t);
  const port = await freePort();
  const [ecuInfo, options] = [join(directory, 'ecu_info.yml'), join(directory, 'ota.yml')];
  await mkdir(join(directory, 'trust'));
  await writeFile(ecuInfo, `ecu_id: main\nbootloader: directory\nip_addr: 127.0.0.1\nport: ${port}\n`);
  await writeFile(
    options,
    `state: { directory: ${directory}/state }
trust: { directory: ${directory}/trust }
boot: { directory: { path: ${directory}/slots } }
`,
  );
  const daemon = startOta(t, ['serve', '--ecu-info', ecuInfo, '--options', options]);
  const ask = ['status', '--host', `127.0.0.1:${port}`];
  let shown = await runOta(t, ask);
  for (let tries = 0; shown.code === 3 && tries < 50; tries += 1) {
    await delay(100);
    shown = await runOta(t, ask);
  }
  assert.match(shown.stdout, /^main +- +(?:slot_a +)?INITIALIZED$/m);
  daemon.child.kill('SIGTERM');
  assert.equal((await daemon.end).code, 0);
});

test('serve with words that it does not know is refused with 2', async (t) => {
  assert.equal((await runOta(t, ['serve', 'now'])).code, 2);
});
