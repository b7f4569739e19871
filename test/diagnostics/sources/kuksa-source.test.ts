import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freePort } from '../../support/free-port.ts';
import { KuksaWorld } from '../../support/kuksa-world.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { VssBrokerProcess } from '../../support/vss-broker.ts';

const speed = 'Vehicle.Speed';
const moving = 'Vehicle.IsMoving';
const codes = 'Vehicle.Diagnostics.DTCList';
const gear = 'Vehicle.Powertrain.Transmission.SelectedGear';

const connected = (world: KuksaWorld) => (): boolean => world.source.state().state === 'connected';

describe('the signals of a KUKSA databroker', () => {
  it('come with what the broker has first, and then every value', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.set(speed, 12.5);
    await broker.set(codes, ['P0301', 'U0100']);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, moving, codes, gear);
    await world.until('connected', connected(world));
    await broker.set(speed, 13);
    await broker.set(gear, 126);
    await world.until('gear', () => world.of(gear).length > 0);
    assert.deepEqual(world.of(speed), [12.5, 13]);
    assert.deepEqual(world.of(codes), [['P0301', 'U0100']]);
    assert.deepEqual(world.of(moving), []);
    assert.equal(world.store.datatypeOf(gear), 'int8');
    assert.equal(world.store.unitOf(speed), 'km/h');
    assert.deepEqual(world.source.state(), {
      name: `kuksa ${broker.address}`,
      state: 'connected',
      problem: '',
      signals: 4,
      samples: 4,
    });
    // Reading by GetValue is what brokers with providers answer wrongly.
    assert.deepEqual(await broker.tell({ do: 'calls' }), { GetServerInfo: 1, ListMetadata: 1, Subscribe: 1 });
  });

  it('are told of once when the broker does not know them, and do not keep the others away', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'forget', paths: [codes, gear] });
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, 'Vehicle.NotThere', codes, moving, gear, 'Elsewhere.Signal');
    await world.until('connected', connected(world));
    await broker.set(speed, 1);
    await world.until('speed', () => world.of(speed).length > 0);
    const { problem, signals } = world.source.state();
    assert.equal(signals, 2);
    for (const path of ['Vehicle.NotThere', codes, gear, 'Elsewhere.Signal'])
      assert.match(problem, new RegExp(path));
    await broker.tell({ do: 'end' });
    await world.until(
      'again',
      () => world.log.lines.filter((line) => /signals come from/.test(line)).length > 1,
    );
    for (const path of ['Vehicle.NotThere', codes, gear, 'Elsewhere.Signal'])
      assert.equal(world.log.lines.filter((line) => line.includes(`${path} `)).length, 1, path);
    // What it learns to know later comes then.
    await broker.tell({ do: 'forget', paths: [] });
    await broker.tell({ do: 'end' });
    await world.until('all that there are', () => world.source.state().signals === 4);
  });

  it('that a token does not show are told of', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'hide', paths: [moving] });
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, moving);
    await world.until('connected', connected(world));
    assert.match(world.source.state().problem, /gives no Vehicle\.IsMoving/);
    assert.ok(world.log.lines.some((line) => line.includes(`${moving} may not be read with this token`)));
  });

  it('that a token forbids do not keep the others away, unless it forbids all', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'deny', paths: [moving, codes] });
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, moving, gear, codes);
    await world.until('connected', connected(world));
    await broker.set(speed, 2);
    await world.until('speed', () => world.of(speed).length > 0);
    assert.equal(world.source.state().signals, 2);
    assert.ok(world.log.lines.some((line) => line.includes(`${codes} may not be read with this token`)));
    world.want(moving, codes);
    await world.until('failed', () => world.source.state().state === 'failed');
    assert.match(world.source.state().problem, /the token does not allow this/);
  });

  it('are taken with the datatype of the catalog only, and as numbers only', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, gear, codes);
    await world.until('connected', connected(world));
    await broker.tell({ do: 'lie', path: speed, datatype: 'string', value: 'fast' });
    await broker.tell({ do: 'lie', path: speed, datatype: 'double', value: 1.5 });
    await broker.tell({ do: 'lie', path: speed, datatype: 'float', value: 'NaN' });
    await broker.tell({ do: 'lie', path: gear, datatype: 'int32', value: 128 });
    await broker.tell({ do: 'lie', path: gear, datatype: 'uint32', value: 1 });
    await broker.tell({ do: 'lie', path: codes, datatype: 'string', value: 'P0301' });
    await broker.tell({ do: 'lie', path: gear, datatype: 'int32', value: -128 });
    await broker.set(speed, null);
    await broker.set(speed, 3);
    await world.until('speed', () => world.of(speed).length > 0);
    assert.deepEqual([world.of(speed), world.of(gear), world.of(codes)], [[3], [-128], []]);
    assert.match(world.source.state().problem, /6 values refused/);
  });

  it('go on after the broker ended the subscription with OK, and bring nothing twice', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed);
    await world.until('connected', connected(world));
    await broker.set(speed, 1);
    await world.until('speed', () => world.of(speed).length === 1);
    for (let round = 2; round < 6; round++) {
      await broker.tell({ do: 'end' });
      await broker.set(speed, round);
      await world.until(`speed ${round}`, () => world.of(speed).at(-1) === round);
    }
    assert.deepEqual(world.of(speed), [1, 2, 3, 4, 5]);
  });

  it('go on after a restart of the broker with other ids', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, moving);
    await world.until('connected', connected(world));
    const before = await broker.tell({ do: 'get', path: speed });
    await broker.tell({ do: 'stop' });
    await world.until('waiting', () => world.source.state().state === 'waiting');
    await broker.tell({ do: 'restart' });
    await world.until('connected', connected(world));
    const after = await broker.tell({ do: 'get', path: speed });
    assert.notEqual(before['id'], after['id']);
    await broker.set(speed, 7);
    await broker.set(moving, true);
    await world.until('both', () => world.of(speed).length > 0 && world.of(moving).length > 0);
    assert.deepEqual([world.of(speed), world.of(moving)], [[7], [true]]);
  });

  it('are waited for while there is no broker', async (t) => {
    const port = await freePort();
    const world = new KuksaWorld(t, { address: `127.0.0.1:${port}` });
    world.want(speed);
    await world.until('told', () => /no answer/.test(world.source.state().problem));
    const broker = await VssBrokerProcess.start(t, ['--port', String(port)]);
    await broker.set(speed, 5);
    await world.until('speed', () => world.of(speed).length > 0);
  });

  it('come with a token, which is read anew when it is refused', async (t) => {
    const directory = await scratchDirectory(t);
    const tokenFile = join(directory, 'token');
    const broker = await VssBrokerProcess.start(t, [], 'first.secret');
    const world = new KuksaWorld(t, { address: broker.address, tokenFile });
    world.want(speed);
    await world.until('missing', () => /token does not exist/.test(world.source.state().problem));
    await writeFile(tokenFile, 'two tokens\n');
    await world.until('unusable', () => /one token and nothing else/.test(world.source.state().problem));
    await writeFile(tokenFile, 'wrong.secret\n');
    await world.until('refused', () => /token is refused/.test(world.source.state().problem));
    assert.equal(world.source.state().state, 'failed');
    await writeFile(tokenFile, 'first.secret\n');
    await world.until('connected', connected(world));
    // It expires: the broker ends the subscription with OK.
    await broker.tell({ do: 'token', token: 'second.secret' });
    await world.until('refused again', () => /token is refused/.test(world.source.state().problem));
    await writeFile(tokenFile, 'second.secret\n');
    await broker.set(speed, 4);
    await world.until('speed', () => world.of(speed).length > 0);
    const calls = await broker.tell({ do: 'calls' });
    assert.ok(Number(calls['GetServerInfo']) < 12, `asked too often: ${JSON.stringify(calls)}`);
    assert.doesNotMatch(world.log.lines.join('\n'), /secret/);
  });

  it('are not asked for again and again when the broker finds the request invalid', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'fail', rpc: 'Subscribe', code: 'INVALID_ARGUMENT' });
    const world = new KuksaWorld(t, { address: broker.address }, { slowMs: 4000 });
    const began = performance.now();
    world.want(speed);
    await world.until('told', () => /refused as invalid/.test(world.source.state().problem));
    const first = Number((await broker.tell({ do: 'calls' }))['Subscribe']);
    assert.equal(world.source.state().state, 'failed');
    assert.equal(first, 1);
    await broker.tell({ do: 'fail', rpc: 'Subscribe', code: '' });
    await world.until('connected', connected(world));
    assert.ok(performance.now() - began >= 2000, 'half of the long wait is the least');
    assert.equal((await broker.tell({ do: 'calls' }))['Subscribe'], 2);
  });

  it('of a broker without kuksa.val.v2 are given up in words', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'fail', rpc: '*', code: 'UNIMPLEMENTED' });
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed);
    await world.until('told', () => /older than 0\.5/.test(world.source.state().problem));
    assert.equal(world.source.state().state, 'failed');
  });

  it('come from a broker whose metadata have no paths', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'old', paths: true });
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, moving, 'Vehicle.NotThere');
    await world.until('connected', connected(world));
    await broker.set(speed, 4);
    await world.until('speed', () => world.of(speed).length > 0);
    assert.match(world.source.state().problem, /gives no Vehicle\.NotThere/);
  });

  it('get our time when the clock of the broker is far off', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed);
    await world.until('connected', connected(world));
    await broker.set(speed, 1);
    await broker.tell({ do: 'time', ms: -86_400_000 });
    await broker.set(speed, 2);
    await broker.tell({ do: 'time', ms: 3_600_000 });
    await broker.set(speed, 3);
    await world.until('three', () => world.of(speed).length === 3);
    for (const { value } of world.puts) {
      const offMs = Math.abs(Number(value.ts / 1000n) - Date.now());
      assert.ok(offMs < 60_000, `${offMs} ms off`);
    }
    assert.match(world.source.state().problem, /2 times replaced by ours/);
  });

  it('that the broker knew for long are old when they come', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'time', ms: -3_600_000 });
    await broker.set(speed, 0);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed);
    await world.until('speed', () => world.of(speed).length === 1);
    const [put] = world.puts;
    assert.ok(
      put?.value.olderMs !== undefined && put.value.olderMs >= 3_600_000,
      JSON.stringify(put?.value.olderMs),
    );
  });

  it('end with the last value of a burst, whatever is lost before it', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed);
    await world.until('connected', connected(world));
    await broker.tell({ do: 'burst', path: speed, from: 1, count: 5000 });
    await world.until('the last', () => world.of(speed).at(-1) === 5000);
    const values = world.of(speed) as number[];
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    );
    assert.ok(values.length >= 500, `${values.length} values`);
  });

  it('are others as soon as others are wanted', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed);
    await world.until('connected', connected(world));
    await broker.set(speed, 1);
    await world.until('speed', () => world.of(speed).length === 1);
    world.want(speed, moving);
    await world.until('two', () => world.source.state().signals === 2);
    await broker.set(moving, true);
    await world.until('moving', () => world.of(moving).length === 1);
    assert.deepEqual(world.of(speed), [1], 'what was there before is nothing new');
    world.want();
    await world.until('idle', () => /nobody needs/.test(world.source.state().problem));
  });

  it('go on after the broker froze', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const world = new KuksaWorld(t, { address: broker.address }, { beatMs: 100 });
    world.want(speed);
    await world.until('connected', connected(world));
    broker.freeze();
    await world.until('told', () => /DEADLINE_EXCEEDED/.test(world.source.state().problem));
    broker.thaw();
    await broker.set(speed, 8);
    await world.until('speed', () => world.of(speed).length > 0);
  });

  it('are waited for no longer than the patience for a first message', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    await broker.tell({ do: 'fail', rpc: 'Subscribe', code: 'HANG' });
    const world = new KuksaWorld(t, { address: broker.address }, { firstMessageMs: 300 });
    world.want(speed);
    await world.until('told', () => /no first message/.test(world.source.state().problem));
    await broker.tell({ do: 'fail', rpc: 'Subscribe', code: '' });
    await world.until('connected', connected(world));
  });
});
