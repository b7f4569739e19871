import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { CampaignMemory } from '#diagnostics/campaign/campaign-memory.ts';
import { CampaignSet, type CampaignSetWorld } from '#diagnostics/campaign/campaign-set.ts';
import { parseCampaign } from '#diagnostics/campaign/parse-campaign.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const start = Date.parse('2026-01-01T00:00:00Z');

function campaign(text: string) {
  const read = parseCampaign(text, 'a.yml');
  assert.ok(read.ok, JSON.stringify(read));
  return read.campaign;
}

/** A set under two clocks that the test turns by hand. */
class Vehicle {
  readonly store = new SignalStore();
  readonly kept: string[] = [];
  readonly set: CampaignSet;
  unixNow = start;
  now = 0;

  constructor(memory: CampaignMemory, log: CampaignSetWorld['log'] = { info() {}, warn() {}, error() {} }) {
    this.store.describe('A.X', 'float');
    this.set = new CampaignSet(campaign('id: ota\nsignals: []'), {
      datatypeOf: (path) => this.store.datatypeOf(path),
      values: this.store,
      store: ({ messages }, id) => this.kept.push(...messages.map(() => id)),
      memory,
      now: () => this.now,
      unixNow: () => this.unixNow,
      log,
    });
    this.store.subscribe((path, value) => this.set.accept(path, value));
  }

  send(value: number): void {
    this.store.put('A.X', { value, ts: 1n, receivedAt: this.now });
  }

  pass(ms: number): boolean {
    this.now += ms;
    this.unixNow += ms;
    return this.set.advance(this.now);
  }

  get states(): string[] {
    return this.set.states.slice(1).map(({ id, state, samples }) => `${id} ${state} ${samples}`);
  }
}

async function memoryIn(t: TestContext): Promise<{ readonly file: string; readonly memory: CampaignMemory }> {
  const file = join(await scratchDirectory(t), 'campaigns.json');
  return { file, memory: await CampaignMemory.open(file, { info() {}, warn() {}, error() {} }) };
}

function good(file: string, text: string) {
  return { file, version: text, campaign: campaign(text), problems: [] };
}

describe('the campaigns of an ECU', () => {
  it('begin and end when their time comes', async (t) => {
    const { memory } = await memoryIn(t);
    const vehicle = new Vehicle(memory);
    const text =
      'id: trip\nstart: 2026-01-01T00:01:00Z\nexpires: 2026-01-01T00:02:00Z\nsignals: [{path: A.X, mode: every}]';
    assert.equal(vehicle.set.load([good('a.yml', text)]), false);
    vehicle.send(1);
    assert.deepEqual(vehicle.states, ['trip waiting 0']);
    assert.deepEqual(vehicle.set.paths, []);
    assert.equal(vehicle.pass(60_000), true);
    assert.deepEqual(vehicle.set.paths, ['A.X']);
    vehicle.send(2);
    assert.deepEqual(vehicle.states, ['trip active 1']);
    assert.equal(vehicle.pass(60_000), true);
    assert.deepEqual(vehicle.states, ['trip expired 1']);
    assert.deepEqual(vehicle.kept, ['trip']);
    vehicle.send(3);
    assert.deepEqual(vehicle.states, ['trip expired 1']);
  });

  it('go on as they were while their file is broken, and tell so once', async (t) => {
    const { memory } = await memoryIn(t);
    const log = new MemoryLog();
    const vehicle = new Vehicle(memory, log);
    const first = good('a.yml', 'id: trip\nsignals: [{path: A.X, mode: every}]');
    vehicle.set.load([first]);
    vehicle.send(1);
    const broken = {
      file: 'a.yml',
      version: '2',
      campaign: undefined,
      problems: ['a.yml:1: is no good; mend it'],
    };
    for (let look = 0; look < 3; look++) assert.equal(vehicle.set.load([broken]), false);
    vehicle.send(2);
    assert.deepEqual(vehicle.states, ['trip active 2']);
    assert.equal(vehicle.set.states[1]?.problem, 'a.yml:1: is no good; mend it');
    assert.equal(log.lines.filter((line) => line.includes('is no good')).length, 1);
    assert.equal(vehicle.set.load([good('a.yml', 'id: trip\nsignals: [{path: A.Y, mode: every}]')]), true);
    assert.deepEqual(vehicle.set.paths, ['A.Y']);
    assert.equal(vehicle.set.states[1]?.problem, '');
  });

  it('have different ids, whichever file comes first', async (t) => {
    const { memory } = await memoryIn(t);
    const vehicle = new Vehicle(memory);
    const text = 'id: trip\nsignals: [{path: A.X, mode: every}]';
    const bad = { file: 'c.yml', version: '1', campaign: undefined, problems: ['c.yml: is empty; fill it'] };
    vehicle.set.load([good('a.yml', text), good('b.yml', text), good('d.yml', 'id: ota\nsignals: []'), bad]);
    assert.deepEqual(
      vehicle.set.states.map(({ id, state, problem }) => `${id} ${state} ${problem}`),
      [
        'ota active ',
        'trip active ',
        'b.yml broken b.yml: id trip is that of a.yml; give it another one',
        'd.yml broken d.yml: id ota is that of the built-in campaign; give it another one',
        'c.yml broken c.yml: is empty; fill it',
      ],
    );
    // The first one goes: its id is free.
    vehicle.set.load([{ ...good('b.yml', text), version: '2' }]);
    assert.deepEqual(vehicle.states, ['trip active 0']);
  });

  it('remember over a restart what fired once, trouble codes and the budget of the hour', async (t) => {
    const { file, memory } = await memoryIn(t);
    const text = `
id: trip
budget: {bytes_per_hour: 39}
signals: [{path: A.X, mode: every}]
triggers: [{name: t, on: condition, when: A.X > 10, once: true}]`;
    const vehicle = new Vehicle(memory);
    vehicle.set.load([good('a.yml', text)]);
    vehicle.send(11);
    vehicle.send(1);
    vehicle.set.finish();
    await memory[Symbol.asyncDispose]();
    const again = new Vehicle(await CampaignMemory.open(file, new MemoryLog()));
    again.unixNow += 1000;
    again.set.load([good('a.yml', text)]);
    again.send(11);
    again.send(1);
    const [, state] = again.set.states;
    assert.deepEqual([state?.samples, state?.dropped, state?.triggered], [1, 1, 0]);
  });

  it('do without a memory that is damaged', async (t) => {
    const { file } = await memoryIn(t);
    for (const text of ['', '{', '[]', '{"format":2}', '{"format":1,"campaigns":{"a":{"fired":5}}}']) {
      await writeFile(file, text);
      const memory = await CampaignMemory.open(file, new MemoryLog());
      assert.deepEqual(memory.of('a').fired, []);
      memory.keep('a', { fired: ['t'], codes: {}, hour: undefined });
      await memory[Symbol.asyncDispose]();
      assert.match(await readFile(file, 'utf8'), /"fired":\["t"\]/);
    }
  });
});
