import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { DaemonProcess } from '../support/daemon-process.ts';
import { endBeforeRemoval } from '../support/scratch-directory.ts';
import { smallDisk, smallDiskMissing } from '../support/small-disk.ts';
import { UpdateWorld } from '../support/update-world.ts';

/** A receiver that takes connections and never says anything. */
async function silentReceiver(t: TestContext): Promise<number> {
  const server = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  endBeforeRemoval(t, async () => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Updates once with a spool that lies on a small disk, which `harm` makes useless. */
async function update(t: TestContext, harm: (disk: Awaited<ReturnType<typeof smallDisk>>) => Promise<void>) {
  const world = await UpdateWorld.create(t);
  await world.publish({ '/etc/os-release': 'two', '/big': 'x'.repeat(200_000) });
  const disk = await smallDisk(t, 256, join(world.directory, 'state/diagnostics'));
  await harm(disk);
  const port = await silentReceiver(t);
  const daemon = await DaemonProcess.create(t, {
    directory: world.directory,
    options: `diagnostics: { host_interval_ms: 100, upload: { url: 'http://127.0.0.1:${port}', during_updates: true } }\n`,
  });
  const supervised = daemon.supervise();
  await daemon.until('INITIALIZED');
  const [answer] = await daemon.update({ version: '2.0', url: world.server.origin.href });
  assert.equal(answer?.result, 'NO_FAILURE');
  await daemon.until('SUCCESS', '2.0');
  assert.equal(await daemon.end('SIGTERM'), 0);
  await supervised;
  return daemon.log;
}

describe('an update whose diagnostics cannot be stored or sent', { skip: smallDiskMissing() }, () => {
  it('comes to its end all the same on a read-only disk', async (t) => {
    const log = await update(t, async (disk) => disk.remount('ro'));
    assert.match(log, /diagnostics cannot be stored/);
  });

  it('comes to its end all the same on a full disk', async (t) => {
    const log = await update(t, async ({ path }) => {
      await writeFile(join(path, 'others'), Buffer.alloc(1_000_000)).catch(() => {});
    });
    assert.match(log, /diagnostics cannot be stored/);
  });
});
