import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { runOta } from '../support/run-ota.ts';
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
