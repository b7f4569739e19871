import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseOptions } from '#config/options.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import { SignalGate } from '#diagnostics/preconditions/signal-gate.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { withoutSeen } from '#domain/condition-words.ts';

function gateOf(text: string) {
  const { options, problem } = parseOptions(`preconditions:\n${text}`, 'ota.yml', {});
  assert.equal(problem, undefined);
  const store = new SignalStore();
  const clock = { at: 1000, now: () => clock.at };
  const gate = new SignalGate(options.preconditions, store, clock);
  const put = (path: string, value: VssValue): void =>
    store.put(path, { value, ts: 0n, receivedAt: clock.at });
  return { gate, put, clock, [Symbol.dispose]: () => gate[Symbol.dispose]() };
}

const parked = `
  start:
    - { name: parked, when: not Vehicle.IsMoving and Vehicle.Speed < 0.1, max_age_ms: 2000 }
    - { name: charged, when: Vehicle.Charge >= 20, missing: allow, describe: the battery is charged }`;

describe('the conditions of the options', () => {
  it('are fulfilled by fresh values alone, and say what they saw', () => {
    using world = gateOf(parked);
    const { gate, put, clock } = world;
    assert.deepEqual(gate.unfulfilled('start'), [
      'parked: not Vehicle.IsMoving and Vehicle.Speed < 0.1 (Vehicle.IsMoving has no value; Vehicle.Speed has no value)',
    ]);
    put('Vehicle.IsMoving', true);
    put('Vehicle.Speed', 42);
    clock.at += 500;
    assert.match(
      gate.unfulfilled('start')[0] ?? '',
      /Vehicle\.IsMoving is true, 0\.5 s old; Vehicle\.Speed is 42, 0\.5 s/,
    );
    put('Vehicle.IsMoving', false);
    put('Vehicle.Speed', 0);
    assert.deepEqual(gate.unfulfilled('start'), []);
    clock.at += 2000;
    assert.deepEqual(gate.unfulfilled('start'), []);
    clock.at += 1;
    assert.match(gate.unfulfilled('start')[0] ?? '', /Vehicle\.Speed is 0, 2\.0 s old, which is too old/);
    assert.deepEqual(gate.unfulfilled('reboot'), [], 'each point has its own');
  });

  it('may let a missing value pass, but not a bad one', () => {
    using world = gateOf(parked);
    world.put('Vehicle.IsMoving', false);
    world.put('Vehicle.Speed', 0);
    assert.deepEqual(world.gate.unfulfilled('start'), []);
    world.put('Vehicle.Charge', 5);
    assert.match(
      world.gate.unfulfilled('start')[0] ?? '',
      /^charged: the battery is charged \(Vehicle\.Charge is 5/,
    );
    world.clock.at += 60_000;
    world.put('Vehicle.IsMoving', false);
    world.put('Vehicle.Speed', 0);
    assert.deepEqual(world.gate.unfulfilled('start'), [], 'too old to count');
  });

  it('tell who listens at once when something is fulfilled or not any more, not for every value', () => {
    using world = gateOf(parked);
    const { gate, put } = world;
    let told = 0;
    gate.subscribe(() => (told += 1));
    put('Vehicle.IsMoving', true);
    put('Vehicle.Speed', 42);
    const before = told;
    for (let speed = 43; speed < 100; speed++) put('Vehicle.Speed', speed);
    put('Vehicle.Other', 1);
    assert.equal(told, before);
    put('Vehicle.Speed', 0);
    put('Vehicle.IsMoving', false);
    assert.equal(told, before + 1);
    put('Vehicle.Speed', 1);
    assert.equal(told, before + 2);
  });

  it('tell by time alone that a value has grown old', async () => {
    using world = gateOf(parked);
    world.put('Vehicle.IsMoving', false);
    world.put('Vehicle.Speed', 0);
    world.clock.at += 60_000;
    await new Promise<void>((resolve) => world.gate.subscribe(resolve));
    assert.equal(world.gate.unfulfilled('start').length, 1);
  });

  it('stay as long as every reader takes them, however long condition and values are', () => {
    const long = Array.from({ length: 60 }, (_, at) =>
      `Vehicle.Branch.OfALongName.Signal${at} == (1)`.replace('(1)', "'x'"),
    ).join(' or ');
    using world = gateOf(`
  start: [{ name: ${'n'.repeat(64)}, when: "${long}" }]`);
    for (let at = 0; at < 60; at++)
      world.put(`Vehicle.Branch.OfALongName.Signal${at}`, `(${'y'.repeat(100)})`);
    const [reason = ''] = world.gate.unfulfilled('start');
    assert.ok(reason.length <= 1024, `${reason.length}`);
    assert.match(withoutSeen(reason), /^n{64}: Vehicle.*…$/);
  });

  it('show texts of any length and kind harmlessly', () => {
    using world = gateOf(`
  start: [{ name: off, when: Vehicle.State == 'OFF' }]`);
    world.put('Vehicle.State', `\u001b[31m${'x'.repeat(500)}`);
    assert.match(
      world.gate.unfulfilled('start')[0] ?? '',
      /Vehicle\.State is \?\[31mx{50,60}…, 0\.0 s old\)$/,
    );
  });
});
