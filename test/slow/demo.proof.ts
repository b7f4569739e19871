import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allPids, isAlive, startDemo } from '../support/demo-process.ts';

describe('npm start in full size', () => {
  it('updates four ECUs by two releases of at least 3,000 files and 150 MB', async (t) => {
    const demo = startDemo(t, ['--once', '--port', '25051']);
    assert.equal(await demo.end, 0, demo.output());
    const output = demo.output();
    for (const version of ['1\\.0', '2\\.0']) {
      const [, files = '', megabytes = ''] =
        new RegExp(`^${version} +([\\d,]+) +(\\d+) MB `, 'm').exec(output) ?? [];
      assert.ok(Number(files.replaceAll(',', '')) >= 3000, output);
      assert.ok(Number(megabytes) >= 150, output);
    }
    for (const ecu of ['main', 'adas', 'camera', 'cockpit']) {
      assert.match(output, new RegExp(`^${ecu} +2\\.0 +slot_b +[4-9],\\d+ +0$`, 'm'));
    }
    assert.match(output, /^camera runs 1\.0 from slot_a .* 0 differences, 0 B downloaded$/m);
    assert.deepEqual(allPids(output).filter(isAlive), []);
    assert.match(output, /^E213: the vehicle is not in a state for this/m);
    assert.match(output, /^the trip: \d+ speeds/m);
    t.diagnostic(/^Everything .*$/m.exec(output)?.[0] ?? '');
  });
});
