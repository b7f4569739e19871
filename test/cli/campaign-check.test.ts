import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { projectRoot, runOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

it('ota campaign check tells what a campaign collects, and every problem of a broken one', async (t) => {
  const directory = await scratchDirectory(t);
  const [good, bad] = [join(directory, 'good.yml'), join(directory, 'bad.json')];
  const text = `id: trip
signals:
  - {path: Vehicle.Speed, mode: periodic, period_ms: 1000}
triggers:
  - {name: fast, on: condition, when: Vehicle.Speed > 130}
`;
  await writeFile(good, text);
  await writeFile(
    bad,
    '{"id": "trip",\n "signals": [{"path": "Vehicle.Speed", "mode": "often"}],\n "colour": 1}',
  );
  const { code, stdout, stderr } = await runOta(t, ['campaign', 'check', good, bad]);
  assert.equal(code, 1);
  assert.match(stdout, /campaign trip, priority normal, from now until further notice/);
  assert.match(stdout, /signal +Vehicle\.Speed +periodic\n +trigger +fast +Vehicle\.Speed > 130/);
  assert.match(stderr, /bad\.json:2.*signals\[0\]\.mode/);
  assert.equal((await runOta(t, ['campaign', 'check', good])).code, 0);
});

it('ota campaign check --vss tells what a vehicle does not have, and what its signals cannot do', async (t) => {
  const directory = await scratchDirectory(t);
  const file = join(directory, 'a.yml');
  const vss = join(projectRoot, 'scripts/vss-broker/vss.json');
  const sample = join(projectRoot, 'scripts/demo/trip.yml');
  assert.equal((await runOta(t, ['campaign', 'check', '--vss', vss, sample])).code, 0);
  await writeFile(
    file,
    `id: a
signals:
  - { path: Vehicle.Sped, mode: every }
  - { path: Vehicle.Diagnostics, mode: every }
  - { path: Vehicle.LowVoltageSystemState, mode: window, window_ms: 100 }
  - { path: Vehicle.IsMoving, mode: on_change, dead_band: 1 }
  - { path: Vehicle.OTA.ECU.Main.State, mode: every }
triggers:
  - { name: a, on: condition, when: Vehicle.Speed == "fast" and Vehicle.Nothing > 1 }
  - { name: b, on: condition, when: Vehicle.Speed or empty(Vehicle.IsMoving) }
  - { name: c, on: condition, when: Vehicle.LowVoltageSystemState > "ON" or Vehicle.Diagnostics.DTCList == "P0420" }
  - { name: d, on: trouble_codes, path: Vehicle.Speed, snapshot: [Vehicle.Zzz] }
`,
  );
  const { code, stdout, stderr } = await runOta(t, ['campaign', 'check', '--vss', vss, file]);
  assert.deepEqual([code, stdout], [1, '']);
  const told = stderr.replaceAll(file, 'a.yml').trimEnd().split('\n');
  assert.match(
    told[0] ?? '',
    /^a\.yml:3: signals\[0\]\.path .*Vehicle\.Sped.*; did you mean Vehicle\.Speed\?$/,
  );
  assert.match(
    told[1] ?? '',
    /^a\.yml:4: .* is the branch Vehicle\.Diagnostics.*such as Vehicle\.Diagnostics\./,
  );
  assert.match(told[2] ?? '', /^a\.yml:5: signals\[2\]\.mode is window, but .* is string/);
  assert.match(told[3] ?? '', /^a\.yml:6: signals\[3\]\.dead_band is set, but .* is boolean/);
  const rest = told.slice(4).join('\n');
  for (const pattern of [
    /:9: .*names Vehicle\.Nothing/,
    /:9: .*compares number with text/,
    /:10: .*takes Vehicle\.Speed for true or false/,
    /:10: .*Vehicle\.IsMoving is empty, but it is no list/,
    /:11: .*compares by > what are no numbers/,
    /:11: .*compares a list/,
    /:12: .*Vehicle\.Speed, which is float; name a signal that is string\[\]/,
    /:12: .*names Vehicle\.Zzz/,
  ])
    assert.match(rest, pattern);
  assert.equal(told.length, 12);
  const none = await runOta(t, ['campaign', 'check', '--vss', join(directory, 'no.json'), file]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /no\.json.*ENOENT/);
});
