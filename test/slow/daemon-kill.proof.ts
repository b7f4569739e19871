import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { DaemonProcess, rebootExitCode } from '../support/daemon-process.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

const kills = Number(process.env['KILLS'] ?? 8);

describe(`a daemon that is killed ${kills} times in one update`, () => {
  it('always starts in a whole release, and the same request brings the new one for 1.02 times the bytes', async (t) => {
    const world = await UpdateWorld.create(t);
    const { directory, tree } = world;
    const old: Record<string, Buffer> = {};
    for (let i = 0; i < 400; i++) old[`kept/${i % 20}/${i}`] = randomBytes(10_000);
    await makeTree(tree.activeRoot, old);
    const next: Record<string, Buffer> = { ...old };
    for (let i = 0; i < 2500; i++) next[`fresh/${i % 50}/${i}`] = randomBytes(1000 + ((i * 7919) % 30_000));
    for (let i = 0; i < 12; i++) next[`large/${i}`] = randomBytes(5_000_000);
    await world.publish(next);
    const contents = Object.entries(next).filter(([path]) => !path.startsWith('kept'));
    const needed = contents.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    const daemon = await DaemonProcess.create(t, { directory });
    const entry = {
      ecuId: 'main',
      version: '2',
      url: world.server.origin.href,
      cookies: '',
      releaseName: '',
      releaseId: '',
      imageId: '',
    };
    const words = new Set<string>();
    /** Starts the daemon and asks for the update; the status that it started with. */
    const begin = async (): Promise<void> => {
      daemon.start();
      for (;;) {
        const status = await daemon.status();
        if (status !== undefined) {
          words.add(status.status);
          break;
        }
        await after(20);
      }
      const [answer] = await daemon.client.update({ entries: [entry], requestId: '' }, daemon.call());
      assert.equal(answer?.result, 'NO_FAILURE', answer?.message ?? '');
    };
    for (let kill = 0; kill < kills; kill++) {
      await begin();
      // At moments that spread over the whole of what is left.
      const goal = world.sent + (needed * (0.2 + Math.random())) / kills;
      const ended = new AbortController();
      const exit = daemon.exitCode().then(() => ended.abort());
      while (world.sent < goal && !ended.signal.aborted) await Promise.race([exit, after(2)]);
      if ((await daemon.end('SIGKILL')) === rebootExitCode) break;
    }
    await begin();
    assert.equal(await daemon.exitCode(), rebootExitCode);
    daemon.start();
    await daemon.until('SUCCESS', '2');
    assert.deepEqual(
      [...words].filter((word) => word !== 'INITIALIZED' && word !== 'FAILURE'),
      [],
    );
    await daemon.end('SIGTERM');
    // The engine says again, without the daemon, that nothing is missing and nothing is wrong.
    await rename(tree.root, join(directory, 'installed'));
    await rm(tree.activeRoot, { recursive: true });
    await rename(join(directory, 'installed'), tree.activeRoot);
    const sent = world.sent;
    const { image, meter } = await world.update();
    assert.equal(meter.snapshot().download.files, 0);
    assert.deepEqual(await world.differences(image), []);
    t.diagnostic(`needed ${needed} bytes, sent ${sent}: ratio ${(sent / needed).toFixed(4)}`);
    // Beside the contents: names, metadata and HTTP heads.
    assert.ok(sent <= needed * 1.02 + 3_000_000, `sent ${sent}`);
  });
});
