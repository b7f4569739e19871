import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readContainer } from '#diagnostics/messages/container.ts';
import { type Sample, samplesOf } from '#diagnostics/messages/samples.ts';
import { overlayJson } from '#diagnostics/signals/overlay-files.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { UpdateWorld } from '../support/update-world.ts';
import { VssBrokerProcess } from '../support/vss-broker.ts';

const campaign = `id: trip
signals:
  - { path: Vehicle.Speed, mode: every }
  - { path: Vehicle.Diagnostics.DTCList, mode: on_change }
  - { path: Vehicle.Replayed, mode: every }
  - { path: Vehicle.NotThere, mode: every }
`;

async function samplesIn(directory: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) {
    if (!name.endsWith('.avro')) continue;
    const { header, messages } = readContainer(await readFile(join(directory, name)));
    for (const message of messages) samples.push(...samplesOf(header.name, message));
  }
  return samples;
}

describe('a daemon with sources of signals', () => {
  it('keeps what its broker and its drive bring, and publishes itself', { timeout: 120_000 }, async (t) => {
    const world = await UpdateWorld.create(t);
    const files = await scratchDirectory(t);
    const inFiles = async (name: string, text: string): Promise<string> => {
      await writeFile(join(files, name), text);
      return join(files, name);
    };
    const overlay = await inFiles('overlay.json', overlayJson(['main']));
    const sample = join(import.meta.dirname, '../../scripts/vss-broker/vss.json');
    const broker = await VssBrokerProcess.start(t, ['--vss', sample, '--vss', overlay], 'a.secret.token');
    await broker.set('Vehicle.Diagnostics.DTCList', ['P0301']);
    const daemon = await DaemonProcess.create(t, {
      directory: world.directory,
      options: `diagnostics:
  campaigns: [${await inFiles('trip.yml', campaign)}]
  kuksa:
    address: ${broker.address}
    token_file: ${await inFiles('token', 'a.secret.token\n')}
    publish: true
  replay:
    file: ${await inFiles('drive.csv', 'time,path,value,datatype\n0,Vehicle.Replayed,1,uint8\n3600,Vehicle.Replayed,2,uint8\n')}
    speed: 0
`,
    });
    const life = daemon.supervise();
    const has = async (order: object, holds: (answer: Record<string, unknown>) => boolean): Promise<void> => {
      for (;;) {
        const answer = await broker.tell(order);
        if (holds(answer)) return;
        if (t.signal.aborted) throw new Error(`${JSON.stringify(order)}: ${JSON.stringify(answer)}`);
      }
    };
    await has({ do: 'get', path: 'Vehicle.OTA.ECU.Main.EcuId' }, ({ value }) => value === 'main');
    await has({ do: 'calls' }, (calls) => calls['Subscribe'] !== undefined);
    for (const speed of [10, 20, 30.5]) await broker.set('Vehicle.Speed', speed);
    await has({ do: 'get', path: 'Vehicle.OTA.State' }, ({ value }) => value === 'INITIALIZED');
    // Who subscribes again has read the old subscription to its end.
    await broker.tell({ do: 'end' });
    await has({ do: 'calls' }, (calls) => Number(calls['Subscribe']) > 1);
    await daemon.end('SIGTERM');
    await life;
    const samples = await samplesIn(join(world.directory, 'state/diagnostics'));
    const valuesOf = (path: string) =>
      samples.filter(({ signal }) => signal === path).map(({ value }) => value);
    assert.deepEqual(valuesOf('Vehicle.Diagnostics.DTCList'), [[{ string: 'P0301' }]]);
    assert.deepEqual(valuesOf('Vehicle.Replayed'), [{ int: 1 }, { int: 2 }]);
    assert.deepEqual(valuesOf('Vehicle.Speed'), [{ float: 10 }, { float: 20 }, { float: 30.5 }]);
    assert.match(daemon.log, /Vehicle\.NotThere is not in its catalog/);
    assert.doesNotMatch(daemon.log, /a\.secret\.token/);
    assert.deepEqual((await broker.tell({ do: 'calls' }))['GetValue'], undefined);
  });
});
