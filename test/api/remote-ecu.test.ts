import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { status } from '@grpc/grpc-js';
import { RemoteEcu } from '#api/remote-ecu.ts';
import { ChildEcuError, type ChildEcuErrorCode } from '#ecu/child-ecu-error.ts';
import { loopbackEcu } from '../support/loopback-ecu.ts';
import { type Script, scriptedPeer } from '../support/scripted-peer.ts';

const never = new AbortController().signal;

function remote(t: TestContext, port: number, siblings = 1): RemoteEcu {
  const child = new RemoteEcu({ ecuId: 'c', host: '127.0.0.1', port }, { siblings });
  t.after(() => child[Symbol.dispose]());
  return child;
}

async function scripted(t: TestContext, script: Script, siblings?: number): Promise<RemoteEcu> {
  return remote(t, (await scriptedPeer(t, script)).port, siblings);
}

async function rejectsWith(call: Promise<unknown>, code: ChildEcuErrorCode): Promise<void> {
  await assert.rejects(call, (error) => error instanceof ChildEcuError && error.code === code);
}

const all = { entries: [], requestId: 'r' };

describe('a remote child', () => {
  it('is asked and answers', async (t) => {
    const ecu = await loopbackEcu(t, 'c');
    const child = remote(t, ecu.port);
    const answers = await child.rollback(
      { ecuIds: ['c'], requestId: 'r' },
      { signal: never, budgetMs: 2000 },
    );
    assert.deepEqual(answers, [{ ecuId: 'c', result: 'NO_FAILURE', message: '' }]);
    const { ecus } = await child.status({ signal: never, budgetMs: 2000 });
    assert.deepEqual(
      ecus.map(({ ecuId, status }) => [ecuId, status]),
      [['c', 'ROLLBACKING']],
    );
  });

  it('fails with a code for each way to fail', async (t) => {
    const call = { signal: never, budgetMs: 1000 };
    const old = await scripted(t, { status: () => ({}) });
    await rejectsWith(old.abort({ ecuIds: [], requestId: '' }, call), 'unimplemented');
    const mute = await scripted(t, { status: () => 'silence' });
    await rejectsWith(mute.status({ signal: never, budgetMs: 100 }), 'deadline');
    const starting = await scripted(t, { status: () => ({ code: status.UNAVAILABLE, details: 'starting' }) });
    await rejectsWith(starting.status(call), 'unavailable');
    await rejectsWith(remote(t, 1).status(call), 'unavailable');
    const rude = await scripted(t, { update: () => ({ code: status.PERMISSION_DENIED, details: 'no' }) });
    await rejectsWith(rude.update(all, call), 'other');
    const left = AbortSignal.abort();
    await rejectsWith(mute.status({ signal: left, budgetMs: 1000 }), 'other');
  });

  it('may not answer more than is taken, and less the more children share the room', async (t) => {
    const call = { signal: never, budgetMs: 5000 };
    const ecu = (length: number) => ({ ecuV2: [{ ecuId: 'c', firmwareVersion: 'x'.repeat(length) }] });
    await rejectsWith((await scripted(t, { status: () => ecu(2_000_000) })).status(call), 'too_large');
    const script = { status: () => ecu(20_000) };
    assert.equal((await (await scripted(t, script, 3)).status(call)).ecus.length, 1);
    await rejectsWith((await scripted(t, script, 100)).status(call), 'too_large');
  });

  it('is found again within two seconds when it restarts at its place', async (t) => {
    const first = await loopbackEcu(t, 'c');
    const child = remote(t, first.port);
    await child.status({ signal: never, budgetMs: 1000 });
    await first.stop();
    for (let n = 0; n < 5; n += 1)
      await rejectsWith(child.status({ signal: never, budgetMs: 300 }), 'unavailable');
    await loopbackEcu(t, 'c', { port: first.port });
    const { ecus } = await child.status({ signal: never, budgetMs: 2000 });
    assert.equal(ecus[0]?.ecuId, 'c');
  });

  it('is found again when its connection died without a word, as after a power cut', async (t) => {
    const ecu = await loopbackEcu(t, 'c');
    const line = await cuttableLine(t, ecu.port);
    const child = remote(t, line.port);
    await child.status({ signal: never, budgetMs: 1000 });
    line.goDead();
    await rejectsWith(child.status({ signal: never, budgetMs: 200 }), 'deadline');
    const { ecus } = await child.status({ signal: never, budgetMs: 1000 });
    assert.equal(ecus[0]?.ecuId, 'c');
  });

  it('keeps its connection when only one call is slow', async (t) => {
    let connections = 0;
    const peer = await scriptedPeer(t, { status: () => ({}), update: () => 'silence' });
    const line = await cuttableLine(t, peer.port, () => {
      connections += 1;
    });
    const child = remote(t, line.port);
    const slow = rejectsWith(child.update(all, { signal: never, budgetMs: 300 }), 'deadline');
    await child.status({ signal: never, budgetMs: 1000 });
    await slow;
    await child.status({ signal: never, budgetMs: 1000 });
    assert.equal(connections, 1);
  });

  it('is not asked by way of a proxy for the internet', async (t) => {
    const { http_proxy: before } = process.env;
    process.env['http_proxy'] = 'http://127.0.0.1:1';
    t.after(() => {
      if (before === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = before;
    });
    const child = await scripted(t, { status: () => ({}) });
    assert.deepEqual((await child.status({ signal: never, budgetMs: 1000 })).ecus, []);
  });
});

/** A TCP line to a port on which existing connections can go dead: no bytes, no end. */
async function cuttableLine(t: TestContext, target: number, onConnection = () => {}) {
  const sockets = new Set<Socket>();
  const line = createServer((near) => {
    onConnection();
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    line.close();
  });
  await new Promise<void>((resolve) => {
    line.listen(0, '127.0.0.1', resolve);
  });
  const address = line.address();
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP address');
  return {
    port: address.port,
    goDead: () => {
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
  };
}
