import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { allPids, daemonPids, isAlive, startDemo } from '../support/demo-process.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const lastProcess = /^diagnostics go to a receiver .* \(process \d+\)$/m;

const dashboardLink = /^(http:\/\/127\.0\.0\.1:\d+\/)#token=([\w-]{20,})$/m;

/** What the console lets the bearer of the token do. */
async function roleAt(page: string, token: string): Promise<unknown> {
  const answer = await fetch(`${page}ota.console.v1.ConsoleService/GetCaller`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  });
  const { role, message } = (await answer.json()) as { readonly role?: string; readonly message?: string };
  return role ?? message;
}

/** Daemons end by themselves once their supervisor is gone. */
async function allGone(pids: readonly number[]): Promise<void> {
  assert.equal(pids.length, 6);
  while (pids.some(isAlive)) await delay(50);
}

describe('npm start', { timeout: 400_000, concurrency: 2 }, () => {
  it('drives, updates four ECUs when parked, rolls one back, has its diagnostics received, and leaves nothing behind', async (t) => {
    const directory = await scratchDirectory(t);
    // The port that it would take is somebody else's.
    const other = createServer();
    await once(other.listen(21_051, '127.0.0.2'), 'listening');
    t.after(() => other.close());
    const demo = startDemo(t, ['--once', '--small', '--port', '21051', '--dir', directory]);
    const [, page = '', token = ''] = await demo.waitFor(dashboardLink);
    assert.equal(await roleAt(page, token), 'ROLE_OPERATOR');
    for (const name of ['console-token', 'console-tokens.yml']) {
      const { mode } = await stat(join(directory, `run-${demo.pid}`, name));
      assert.equal(mode & 0o777, 0o600, name);
    }
    await demo.waitFor(/^updated in /m);
    // The daemon has started anew, and whoever looks at the page is not signed out.
    assert.equal(await roleAt(page, token), 'ROLE_OPERATOR');
    assert.equal(await demo.end, 0, demo.output());
    const output = demo.output();
    assert.match(output, new RegExp(`^127\\.0\\.0\\.2:21051 is taken by process ${process.pid} \\(`, 'm'));
    for (const ecu of ['main', 'adas', 'camera', 'cockpit']) {
      assert.match(output, new RegExp(`^ *${ecu} +127\\.0\\.0\\.\\d:210(?!51)\\d+ `, 'm'));
      assert.match(output, new RegExp(`^${ecu} +2\\.0 +slot_b +1,\\d+ +0$`, 'm'));
    }
    assert.match(
      output,
      /^camera runs 1\.0 from slot_a .*: 1,\d+ entries compared, 0 differences, 0 B down/m,
    );
    assert.match(output, /^E213: the vehicle is not in a state for this: .*Vehicle\.IsMoving is true/m);
    assert.match(output, /^the trip: \d+ speeds, up to 5\d\.\d km\/h$/m);
    assert.match(output, /^a hard braking, from a ring buffer: \d+ accelerations, down to -3\.5 m\/s²$/m);
    for (const ecu of ['main', 'adas', 'cockpit']) {
      assert.match(output, new RegExp(`^${ecu}: INITIALIZED, .*UPDATING, SUCCESS; runs 2\\.0$`, 'm'));
      assert.match(output, new RegExp(`^${ecu} +\\d+ +[\\d,]+$`, 'm'));
    }
    assert.match(output, /^camera: .*UPDATING, SUCCESS, ROLLBACKING, SUCCESS; runs 1\.0$/m);
    assert.match(output, /^Everything is as it should be: 5 reboots, 0 differences/m);
    assert.deepEqual(allPids(output).filter(isAlive), []);
    assert.deepEqual(await readdir(directory), ['releases-small']);
  });

  it('ends with 1 and the reason when a daemon ended by itself', async (t) => {
    const directory = await scratchDirectory(t);
    const demo = startDemo(t, ['--once', '--small', '--port', '22051', '--dir', directory]);
    await demo.waitFor(lastProcess);
    const [, , , cockpit = 0] = daemonPids(demo.output());
    process.kill(cockpit, 'SIGKILL');
    assert.equal(await demo.end, 1, demo.output());
    assert.match(demo.output(), /^the daemon of cockpit ended by itself \(SIGKILL\)$/m);
    assert.match(demo.output(), /^demo: /m);
    await allGone(allPids(demo.output()));
  });

  it('switches the vehicle off when it is told to stop', async (t) => {
    const directory = await scratchDirectory(t);
    const demo = startDemo(t, ['--small', '--port', '23051', '--dir', directory]);
    await demo.waitFor(lastProcess);
    demo.kill('SIGTERM');
    assert.equal(await demo.end, 143, demo.output());
    assert.deepEqual(allPids(demo.output()).filter(isAlive), []);
    assert.deepEqual(await readdir(directory), ['releases-small']);
  });

  it('leaves no daemon behind when it is killed, and the next run removes what is left', async (t) => {
    const directory = await scratchDirectory(t);
    const args = ['--small', '--port', '24051', '--dir', directory];
    const killed = startDemo(t, args);
    await killed.waitFor(lastProcess);
    killed.kill('SIGKILL');
    await killed.end;
    await allGone(allPids(killed.output()));
    assert.ok((await readdir(directory)).includes(`run-${killed.pid}`));
    const next = startDemo(t, args);
    await next.waitFor(/built by an earlier run/);
    next.kill('SIGINT');
    assert.equal(await next.end, 130, next.output());
    assert.deepEqual(await readdir(directory), ['releases-small']);
  });

  it('says what is wrong with its options', async (t) => {
    const demo = startDemo(t, ['--port', 'here']);
    assert.equal(await demo.end, 2);
    assert.match(demo.output(), /--port "here" is not a number/);
  });
});
