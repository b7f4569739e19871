import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import { readCatalogs } from '#diagnostics/signals/vss-catalog.ts';
import { DriveError } from '#diagnostics/sources/replay/drive-error.ts';
import { type DriveSample, readDrive } from '#diagnostics/sources/replay/read-drive.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const scripts = join(import.meta.dirname, '../../../../scripts/vss-broker');

async function samplesOf(
  t: TestContext,
  text: string,
  known: Readonly<Record<string, VssDatatype>> = {},
): Promise<DriveSample[]> {
  const file = join(await scratchDirectory(t), 'drive');
  await writeFile(file, text);
  const samples: DriveSample[] = [];
  for await (const sample of readDrive(file, (path) => known[path])) samples.push(sample);
  return samples;
}

function brief(samples: readonly DriveSample[]) {
  return samples.map(({ atMs, path, datatype, value }) => [atMs, path, datatype, value]);
}

describe('a recorded drive', () => {
  it('is a CSV with a head line, in which texts become what their signals are', async (t) => {
    const text = `\uFEFF# a trip
time,path,value\r
0,Vehicle.Speed,12.5\r
0.5,Vehicle.IsMoving,true

0.5,Vehicle.Powertrain.Transmission.CurrentGear,3
1,Vehicle.Diagnostics.DTCList,"[""P0301"",""U0100""]"
1,Vehicle.Note,"a, b ""c"""
2.25,Vehicle.Counter,18446744073709551615`;
    const known = {
      'Vehicle.Powertrain.Transmission.CurrentGear': 'int8',
      'Vehicle.Counter': 'uint64',
    } as const;
    assert.deepEqual(brief(await samplesOf(t, text, known)), [
      [0, 'Vehicle.Speed', 'double', 12.5],
      [500, 'Vehicle.IsMoving', 'boolean', true],
      [500, 'Vehicle.Powertrain.Transmission.CurrentGear', 'int8', 3],
      [1000, 'Vehicle.Diagnostics.DTCList', 'string[]', ['P0301', 'U0100']],
      [1000, 'Vehicle.Note', 'string', 'a, b "c"'],
      [2250, 'Vehicle.Counter', 'uint64', 18446744073709551615n],
    ]);
  });

  it('is JSON lines, with 64 bits exact', async (t) => {
    const text = `{"time":10,"path":"Vehicle.A","value":9007199254740993,"datatype":"int64"}
{"ts":"1970-01-01T00:00:10.250Z","signal":"Vehicle.B","value":[1.5,2],"datatype":"float[]"}
{"time":11,"path":"Vehicle.A","value":"-9223372036854775808"}
{"time":11,"path":"Vehicle.C","value":false}
`;
    assert.deepEqual(brief(await samplesOf(t, text)), [
      [0, 'Vehicle.A', 'int64', 9007199254740993n],
      [250, 'Vehicle.B', 'float[]', [1.5, 2]],
      [1000, 'Vehicle.A', 'int64', -9223372036854775808n],
      [1000, 'Vehicle.C', 'boolean', false],
    ]);
  });

  it('may name its columns otherwise, have its own datatypes, or no head line', async (t) => {
    const own = 'Timestamp,Type,Signal,Value\n1795593600.25,uint8,Vehicle.A,7\n1795593601,,Vehicle.A,8\n';
    assert.deepEqual(brief(await samplesOf(t, own)), [
      [0, 'Vehicle.A', 'uint8', 7],
      [750, 'Vehicle.A', 'uint8', 8],
    ]);
    const bare = '1795593600250,Vehicle.A,7\n1795593600300,Vehicle.A,8\n';
    assert.deepEqual(
      (await samplesOf(t, bare)).map(({ atMs }) => atMs),
      [0, 50],
      'times since 1970 in milliseconds',
    );
  });

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['no head', 'a,b\n1,2\n', /line 1: is no header: write time,path,value/],
    [
      'a line that is too short',
      'time,path,value\n0,Vehicle.A,1\n1,Vehicle.A\n',
      /line 3: has 2 fields instead of 3/,
    ],
    ['a comma too many', 'time,path,value\n0,Vehicle.A,1,5\n', /line 2: has 4 fields/],
    ['a time that goes back', 'time,path,value\n1,Vehicle.A,1\n0,Vehicle.A,2\n', /line 3: .*sort by time/],
    ['no time', 'time,path,value\nnoon,Vehicle.A,1\n', /line 2: "noon" is no time/],
    ['no path', 'time,path,value\n0,Speed,1\n', /line 2: "Speed" is no path/],
    [
      'another type than before',
      'time,path,value\n0,Vehicle.A,1\n1,Vehicle.A,fast\n',
      /line 3: "fast" is no double/,
    ],
    [
      'a datatype of its own',
      'time,path,value,datatype\n0,Vehicle.A,1,number\n',
      /line 2: "number" is no datatype/,
    ],
    ['a value out of range', 'time,path,value,datatype\n0,Vehicle.A,256,uint8\n', /line 2: 256 is no uint8/],
    ['a quote without end', 'time,path,value\n0,Vehicle.A,"x\n', /line 2: has a quote that does not end/],
    ['NaN', '{"time":0,"path":"Vehicle.A","value":"NaN","datatype":"float"}\n', /line 1: "NaN" is no float/],
    ['broken JSON', '{"time":0,"path":"Vehicle.A","value":1}\n{"time":\n', /line 2: is no JSON/],
    ['JSON without a value', '{"time":0,"path":"Vehicle.A"}\n', /line 1: has no "value"/],
    ['nothing', '# nothing\n', /holds no values/],
  ];
  for (const [what, text, message] of wrong) {
    it(`with ${what} is refused with its line`, async (t) => {
      await assert.rejects(samplesOf(t, text), (error) => {
        assert.ok(error instanceof DriveError);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('of the sample vehicle is what its script makes, and what its catalog knows', async () => {
    execFileSync(process.execPath, [join(scripts, 'make-trip.ts'), '--check']);
    const catalog = readCatalogs([join(scripts, 'vss.json')]);
    const speeds: number[] = [];
    for await (const { path, datatype, value } of readDrive(join(scripts, 'trip.csv'), () => undefined)) {
      assert.equal(catalog.get(path)?.datatype, datatype, path);
      if (path === 'Vehicle.Speed') speeds.push(Number(value));
    }
    assert.ok(Math.max(...speeds) > 50);
    assert.deepEqual([speeds[0], speeds.at(-1)], [0, 0]);
  });

  it('that is not there is an error too', async () => {
    const drive = readDrive('/nonexistent/drive.csv', () => undefined);
    await assert.rejects(drive.next(), /cannot be read: ENOENT/);
  });
});
