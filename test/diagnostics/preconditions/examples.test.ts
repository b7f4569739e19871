import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '#config/load.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import { doubtfulSignals, neededSignals } from '#diagnostics/preconditions/doubtful-signals.ts';
import { SignalGate } from '#diagnostics/preconditions/signal-gate.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { readCatalogs } from '#diagnostics/signals/vss-catalog.ts';
import { gatePoints } from '#update/gate.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const root = join(import.meta.dirname, '../../..');

const parkedVehicle: Readonly<Record<string, VssValue>> = {
  'Vehicle.IsMoving': false,
  'Vehicle.Speed': 0,
  'Vehicle.Powertrain.Transmission.SelectedGear': 126,
  'Vehicle.LowVoltageBattery.CurrentVoltage': 12.6,
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current': 55,
  'Vehicle.Diagnostics.DTCList': [],
};

async function load(t: Parameters<typeof scratchDirectory>[0], optionsPath: string) {
  const directory = await scratchDirectory(t);
  const ecuInfoPath = join(directory, 'ecu_info.yml');
  await writeFile(ecuInfoPath, 'ecu_id: main\n');
  const config = await loadConfig({ ecuInfoPath, optionsPath, env: {}, cwd: directory });
  assert.equal(config.problem, undefined);
  assert.deepEqual(config.unknown, []);
  return config;
}

test('the shipped conditions let a parked vehicle update, and name whatever is not as it should be', async (t) => {
  const config = await load(t, join(root, 'docs/examples/preconditions.yml'));
  assert.deepEqual(doubtfulSignals(config), []);
  const blockedBy = (change: Readonly<Record<string, VssValue | undefined>>): readonly string[] => {
    const store = new SignalStore();
    using gate = new SignalGate(config.options.preconditions, store, { now: () => 0 });
    for (const [path, value] of Object.entries({ ...parkedVehicle, ...change }))
      if (value !== undefined) store.put(path, { value, ts: 0n, receivedAt: 0 });
    const [first = [], ...others] = gatePoints.map((point) => gate.unfulfilled(point));
    for (const other of others) assert.deepEqual(other, first, 'the same at each point');
    return first.map((text) => text.split(':', 1)[0] ?? '');
  };
  assert.deepEqual(blockedBy({}), []);
  assert.deepEqual(blockedBy({ 'Vehicle.Speed': 3 }), ['parked']);
  assert.deepEqual(blockedBy({ 'Vehicle.IsMoving': true }), ['parked']);
  assert.deepEqual(blockedBy({ 'Vehicle.Speed': undefined }), ['parked']);
  assert.deepEqual(blockedBy({ 'Vehicle.Powertrain.Transmission.SelectedGear': 127 }), ['parked']);
  const brake = {
    'Vehicle.Powertrain.Transmission.SelectedGear': undefined,
    'Vehicle.Chassis.ParkingBrake.IsEngaged': true,
  };
  assert.deepEqual(blockedBy(brake), []);
  assert.deepEqual(blockedBy({ 'Vehicle.Powertrain.CombustionEngine.IsRunning': true }), ['engine off']);
  assert.deepEqual(blockedBy({ 'Vehicle.LowVoltageBattery.CurrentVoltage': 11.9 }), ['12 V battery']);
  const low = { 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current': 10 };
  assert.deepEqual(blockedBy(low), ['traction battery']);
  assert.deepEqual(blockedBy({ ...low, 'Vehicle.Powertrain.TractionBattery.Charging.IsCharging': true }), []);
  assert.deepEqual(blockedBy({ 'Vehicle.Diagnostics.DTCList': ['P0301'] }), ['no trouble codes']);
});

test('the shipped conditions ask for signals of the catalog', async (t) => {
  const { options } = await load(t, join(root, 'docs/examples/preconditions.yml'));
  const catalog = readCatalogs([join(root, 'scripts/vss-broker/vss.json')]);
  for (const path of neededSignals(options)) assert.ok(catalog.has(path), path);
});

test('a signal that nothing brings is doubted, one of ours that there is not too', async (t) => {
  const file = join(await scratchDirectory(t), 'ota.yml');
  const doubts = async (text: string): Promise<string[]> => {
    await writeFile(file, text);
    return doubtfulSignals(await load(t, file)).map(({ key, what, mend }) => `${key} ${what}; ${mend}`);
  };
  const start = (when: string): string => `preconditions: { start: [{ name: a, when: '${when}' }] }\n`;
  assert.deepEqual(await doubts(start('Vehicle.Speed < 1')), [
    'preconditions.start[0].when asks for Vehicle.Speed, which no source brings; set diagnostics.kuksa.address',
  ]);
  const kuksa = 'diagnostics: { kuksa: { address: "127.0.0.1:1" } }\n';
  assert.deepEqual(await doubts(`${start('Vehicle.Speed < 1')}${kuksa}`), []);
  const own = 'Vehicle.OTA.ECU.Main';
  assert.deepEqual(await doubts(start(`${own}.Host.Temperature < 80 and ${own}.State != "FAILURE"`)), []);
  assert.match(
    (await doubts(start(`${own}.Stat == "FAILURE"`)))[0] ?? '',
    /Main\.Stat, which is no signal of ours/,
  );
  const catalog = join(root, 'scripts/vss-broker/vss.json');
  const replay = `diagnostics: { replay: { file: /drive.csv, catalog: ${catalog} } }\n`;
  assert.match(
    (await doubts(`${start('Vehicle.Spead < 1')}${replay}`))[0] ?? '',
    /Vehicle\.Spead, which \S+vss\.json does not have/,
  );
  assert.match(
    (await doubts('health_checks: [{ name: a, signal: Vehicle.Ready }]\n'))[0] ?? '',
    /^health_checks\[0\]\.signal asks for Vehicle\.Ready/,
  );
});
