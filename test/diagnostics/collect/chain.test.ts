import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readContainer } from '#diagnostics/messages/container.ts';
import { sha256Of } from '#diagnostics/spool/sums.ts';
import { createReceiver } from '../../../scripts/diagnostics-receiver/receiver.ts';
import { DaemonProcess } from '../../support/daemon-process.ts';
import { freePort } from '../../support/free-port.ts';
import { endBeforeRemoval, scratchDirectory } from '../../support/scratch-directory.ts';

async function receiver(t: TestContext, directory: string): Promise<number> {
  const server = createReceiver({ directory, maxBytes: 1e6, token: '' }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  endBeforeRemoval(t, async () => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A daemon of one ECU that stores a little every now and then. */
async function ecu(
  t: TestContext,
  id: string,
  below: readonly string[],
  upload: number,
  collect: number | undefined,
): Promise<{ readonly daemon: DaemonProcess; readonly directory: string }> {
  const directory = await scratchDirectory(t);
  for (const name of ['trust', 'slots/a', 'slots/b']) await mkdir(join(directory, name), { recursive: true });
  // Only the first is a child of its own; of the others it knows that they are in the vehicle.
  const [child] = below;
  const lines = [
    `ecu_id: ${id}`,
    'bootloader: directory',
    'ip_addr: 127.0.0.1',
    `available_ecu_ids: [${[id, ...below].join(', ')}]`,
    ...(child === undefined ? [] : [`secondaries: [{ ecu_id: ${child}, ip_addr: 127.0.0.1, port: 1 }]`]),
  ];
  const daemon = await DaemonProcess.create(t, {
    directory,
    ecuInfo: `${lines.join('\n')}\n`,
    options: `diagnostics:
  host_interval_ms: 100
  segment_age_ms: 300
  upload: { url: 'http://127.0.0.1:${upload}' }
  ${collect === undefined ? '' : `collect: { enabled: true, port: ${collect} }`}
`,
  });
  daemon.start();
  return { daemon, directory };
}

/** Digests of what an ECU's uploads remember as done, by id. */
async function doneBy(directory: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(directory, 'state/diagnostics/done'), 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line): [string, string] => [line.slice(0, 36), line.slice(37, 101)]));
}

describe('diagnostics of a vehicle', () => {
  it('reach the receiver over every ECU in between, byte for byte, under the name of who wrote them', async (t) => {
    const received = join(await scratchDirectory(t), 'received');
    const port = await receiver(t, received);
    const [atMain, atChild] = [await freePort(), await freePort()];
    const main = await ecu(t, 'main', ['child', 'grandchild'], port, atMain);
    const child = await ecu(t, 'child', ['grandchild'], atMain, atChild);
    const grandchild = await ecu(t, 'grandchild', [], atChild, undefined);
    const ecus = { main, child, grandchild };
    const files = async (id: string): Promise<readonly string[]> =>
      readdir(join(received, id)).catch(() => []);
    const end = performance.now() + 90_000;
    for (const id of Object.keys(ecus)) {
      while ((await files(id)).length === 0) {
        assert.ok(performance.now() < end, `nothing of ${id} arrived: ${(await readdir(received)).join()}`);
        await delay(50);
      }
    }
    // In order: what a child sends at its end still has somewhere to go.
    for (const { daemon } of [grandchild, child, main]) await daemon.end('SIGTERM');
    for (const [id, { directory }] of Object.entries(ecus)) {
      const done = await doneBy(directory);
      assert.ok(done.size > 0);
      for (const name of await files(id)) {
        const bytes = await readFile(join(received, id, name));
        assert.equal(sha256Of(bytes), done.get(name.slice(0, 36)), `${id} ${name}`);
        assert.equal(readContainer(bytes).header.metadata['ecu.id'], id);
      }
    }
  });
});
