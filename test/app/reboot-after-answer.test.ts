import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { DaemonProcess } from '../support/daemon-process.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

/** A child that takes connections and never says anything. Returns its port. */
async function muteChild(t: TestContext): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('an ECU whose own update is ready reboots after it has answered for a child that hangs', async (t) => {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two' });
  const port = await muteChild(t);
  const daemon = await DaemonProcess.create(t, {
    directory: world.directory,
    ecuInfo: `ecu_id: main
bootloader: directory
ip_addr: 127.0.0.1
secondaries: [{ ecu_id: mute, ip_addr: 127.0.0.1, port: ${port} }]
`,
    options: 'children: { request_timeout_ms: 4000 }\n',
  });
  void daemon.supervise();
  await daemon.until('INITIALIZED');
  const entry = { version: '2', url: world.server.origin.href, cookies: '', releaseName: '', releaseId: '' };
  const entries = ['main', 'mute'].map((ecuId) => ({ ...entry, ecuId, imageId: '' }));
  const answers = await daemon.client.update({ entries, requestId: 'test' }, daemon.call(10_000));
  assert.deepEqual(
    answers.map(({ ecuId, result }) => [ecuId, result]),
    [
      ['main', 'NO_FAILURE'],
      ['mute', 'RECOVERABLE'],
    ],
  );
  await daemon.until('SUCCESS', '2');
});
