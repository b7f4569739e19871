import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { freePort } from '../support/free-port.ts';
import { UpdateWorld } from '../support/update-world.ts';

const watchers = 200;

/** Milliseconds from the request until the daemon ends for its reboot. */
async function timeOfUpdate(
  t: TestContext,
  watched: boolean,
): Promise<{ readonly ms: number; readonly changes: number }> {
  const world = await UpdateWorld.create(t);
  await world.publish(
    Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`usr/file-${n}`, randomBytes(60_000)])),
  );
  const port = await freePort();
  const daemon = await DaemonProcess.create(t, {
    directory: world.directory,
    options: `console: { port: ${port}, requests_per_second: 1000 }\n`,
  });
  daemon.start();
  await daemon.until('INITIALIZED');
  await daemon.untilLogged(/the console is served/);
  const leave = new AbortController();
  t.after(() => leave.abort());
  let changes = 0;
  if (watched) {
    const token = (await readFile(join(world.directory, 'state/console/local-token'), 'utf8')).trim();
    const call = { headers: { authorization: `Bearer ${token}` }, signal: leave.signal };
    const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '2' });
    const client = createClient(ConsoleService, transport);
    const streams = Array.from({ length: watchers }, () =>
      client.watchVehicle({}, call)[Symbol.asyncIterator](),
    );
    await Promise.all(streams.map((stream) => stream.next()));
    for (const stream of streams) void follow(stream, () => changes++);
  }
  const begun = performance.now();
  const [answer] = await daemon.update({ version: '2', url: world.server.origin.href });
  assert.equal(answer?.result, 'NO_FAILURE');
  await daemon.exitCode();
  return { ms: performance.now() - begun, changes };
}

/** Until the daemon reboots. */
async function follow(stream: AsyncIterator<unknown>, onChange: () => void): Promise<void> {
  try {
    while (!(await stream.next()).done) onChange();
  } catch {
    // The connection ends with the daemon.
  }
}

test('an update that 200 people watch takes not much longer than one that nobody watches', async (t) => {
  const alone = await timeOfUpdate(t, false);
  const { ms, changes } = await timeOfUpdate(t, true);
  t.diagnostic(
    `${Math.round(alone.ms)} ms alone, ${Math.round(ms)} ms with ${watchers} watchers (${changes} changes)`,
  );
  assert.ok(changes >= watchers, `${changes} changes were told`);
  // Watchers and the daemon share the processors of this machine.
  assert.ok(ms < 3 * alone.ms + 10_000, `${ms} ms instead of ${alone.ms} ms`);
});
