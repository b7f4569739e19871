import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runOta, startOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const samples = join(import.meta.dirname, '../diagnostics/samples');

describe('ota diagnostics decode', () => {
  it('shows every value of a file, one JSON object each', async (t) => {
    const { code, stdout } = await runOta(t, ['diagnostics', 'decode', join(samples, 'prototype.avro')]);
    assert.equal(code, 0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(lines.length, 18);
    assert.deepEqual(lines[0], {
      signal: 'Vehicle.Cabin.Temperature',
      time: '1970-01-01T00:00:00.000000Z',
      type: 'int',
      value: -11,
      from: 'TimeSeries',
    });
    assert.deepEqual(lines[15]?.['value'], ['one', 'two', 'three']);
  });

  it('shows a table that spreadsheets read', async (t) => {
    const { code, stdout } = await runOta(t, [
      'diagnostics',
      'decode',
      '--csv',
      join(samples, 'our_null.avro'),
    ]);
    assert.equal(code, 0);
    const [head, ...lines] = stdout.trim().split('\n');
    assert.equal(head, 'signal,time,type,value');
    assert.ok(
      lines.includes('Vehicle.Speed,2026-11-25T08:00:00.123456Z,float,12.5'),
      lines.slice(0, 3).join('\n'),
    );
    assert.ok(lines.some((line) => line.endsWith(',long,-9223372036854775808')));
    assert.ok(lines.some((line) => line.endsWith('array,"[""P0420"",""U0100""]"')));
  });

  it('shows what comes before the damage, and fails', async (t) => {
    const file = join(await scratchDirectory(t), 'cut.avro');
    const whole = await readFile(join(samples, 'our_null.avro'));
    await writeFile(file, whole.subarray(0, whole.length - 5));
    const { code, stderr } = await runOta(t, ['diagnostics', 'decode', file]);
    assert.equal(code, 1);
    assert.match(stderr, /cut\.avro could not be read to its end: at byte \d+: the block ends too early/);
    const none = await runOta(t, ['diagnostics', 'decode', join(samples, 'golden.bin')]);
    assert.match(none.stderr, /not an Avro container file/);
  });

  it('shows headers', async (t) => {
    const { stdout } = await runOta(t, ['diagnostics', 'decode', '--header', join(samples, 'our_null.avro')]);
    assert.equal((JSON.parse(stdout) as { message: string }).message, 'MessageSequence');
  });

  it('shows a whole spool, the segments in their order, damaged ones as far as they go', async (t) => {
    const directory = await scratchDirectory(t);
    const whole = await readFile(join(samples, 'our_null.avro'));
    await mkdir(join(directory, 'normal'));
    await writeFile(join(directory, 'normal/0000000002-b.avro'), whole);
    await writeFile(join(directory, 'normal/0000000001-a.avro'), whole.subarray(0, 20));
    await writeFile(join(directory, 'normal/0000000003-c.avro.open'), whole.subarray(0, whole.length - 5));
    await writeFile(join(directory, 'normal/sums.json'), '{}');
    const one = await runOta(t, ['diagnostics', 'decode', join(samples, 'our_null.avro')]);
    const { code, stdout, stderr } = await runOta(t, ['diagnostics', 'decode', directory]);
    assert.equal(code, 1);
    assert.ok(stdout.startsWith(one.stdout));
    assert.deepEqual(stderr.match(/[abc]\.avro(?:\.open)? could not be read to its end/g), [
      'a.avro could not be read to its end',
      'c.avro.open could not be read to its end',
    ]);
  });

  it('shows the wanted signals only, also from standard input', async (t) => {
    const stdin = await readFile(join(samples, 'our_null.avro'));
    const decoded = async (...args: string[]): Promise<string[]> => {
      const { stdout } = await runOta(t, ['diagnostics', 'decode', ...args, join(samples, 'our_null.avro')]);
      return [...stdout.matchAll(/"signal":"([^"]*)"/g)].map(([, signal = '']) => signal);
    };
    assert.ok((await decoded()).length > 5);
    assert.deepEqual([...new Set(await decoded('--path', 'Vehicle.Speed'))], ['Vehicle.Speed']);
    assert.deepEqual(
      [...new Set(await decoded('--path', 'Vehicle.Diagnostics', '--path', 'Vehicle.Speed'))].toSorted(),
      ['Vehicle.Diagnostics.DTCList', 'Vehicle.Speed'],
    );
    assert.deepEqual(await decoded('--path', 'Vehicle.Spee'), []);
    const child = startOta(t, ['diagnostics', 'decode', '-'], { stdin });
    assert.match((await child.end).stdout, /Vehicle\.Speed/);
  });

  it('tells every file that is not there', async (t) => {
    const { code, stderr } = await runOta(t, ['diagnostics', 'decode', '/no/such', '/nor/this']);
    assert.equal(code, 1);
    assert.match(stderr, /\/no\/such .*ENOENT[^]*\/nor\/this .*ENOENT/);
  });
});
