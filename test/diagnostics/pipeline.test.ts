import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { loadConfig } from '#config/load.ts';
import { CampaignFiles } from '#diagnostics/campaign/campaign-files.ts';
import { readContainer } from '#diagnostics/messages/container.ts';
import { type Sample, samplesOf } from '#diagnostics/messages/samples.ts';
import { DiagnosticsPipeline, type PipelineOptions } from '#diagnostics/pipeline.ts';
import { ecuNames } from '#diagnostics/signals/ecu-name.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { SignalSources } from '#diagnostics/sources/signal-sources.ts';
import type { EcuStatus } from '#domain/status.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { UpdateWorld } from '../support/update-world.ts';

async function samplesIn(directory: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const lane of ['critical', 'normal', 'bulk']) {
    for (const name of (await readdir(join(directory, lane))).toSorted()) {
      const { header, messages } = readContainer(await readFile(join(directory, lane, name)));
      for (const message of messages) samples.push(...samplesOf(header.name, message));
    }
  }
  return samples;
}

function status(change: Partial<EcuStatus>): EcuStatus {
  return {
    ecuId: 'ecu-7',
    firmwareVersion: '1',
    otaclientVersion: 'test',
    release: undefined,
    status: 'SUCCESS',
    failure: undefined,
    progress: undefined,
    waitingFor: [],
    ...change,
  };
}

async function pipeline(
  t: TestContext,
  directory: string,
  change: { campaigns?: readonly string[]; blackBoxes?: PipelineOptions['blackBoxes'] } = {},
): Promise<DiagnosticsPipeline> {
  const { options } = await loadConfig({ env: {}, cwd: await scratchDirectory(t) });
  const { campaigns = [], blackBoxes = async () => [] } = change;
  return DiagnosticsPipeline.open({
    options: { ...options.diagnostics, hostIntervalMs: 20, campaigns },
    stateDirectory: directory,
    ecuId: 'ecu-7',
    ecuIds: ['ecu-7'],
    clientVersion: 'test',
    store: new SignalStore(),
    sources: new SignalSources([]),
    host: '127.0.0.1',
    otherEcuIds: [],
    needsLink: () => false,
    blackBoxes,
    log: { info() {}, warn() {}, error() {} },
  });
}

describe('the diagnostics of an ECU', () => {
  it('hold its states, a snapshot at each end of an update, and how the host fares', async (t) => {
    const directory = await scratchDirectory(t);
    const first = await pipeline(t, directory);
    first.take([status({})]);
    first.take([status({ status: 'UPDATING' })]);
    first.take([status({ status: 'SUCCESS', firmwareVersion: '2' })]);
    const seen = new Promise<void>((resolve) => {
      first.store.subscribe((path) => {
        if (path.endsWith('Host.CpuUtilization')) resolve();
      });
    });
    await seen;
    const told = first.status();
    assert.deepEqual(
      told.sources.map(({ name, state }) => `${name} ${state}`),
      ['update connected', 'host connected'],
    );
    const [own] = told.campaigns;
    assert.ok(own !== undefined && own.samples > 0, JSON.stringify(own));
    assert.deepEqual([own.id, own.state, own.dropped, own.triggered], ['ota', 'active', 0, 3]);
    assert.deepEqual(
      told.lanes.map(({ priority }) => priority),
      ['critical', 'normal', 'bulk'],
    );
    assert.match(told.uploadWaitingFor, /no receiver is named/);
    await first[Symbol.asyncDispose]();
    const samples = await samplesIn(join(directory, 'diagnostics'));
    const states = samples.filter(
      ({ signal, from }) => signal === 'Vehicle.OTA.ECU.EcuSeven.State' && from === 'TimeSeries',
    );
    assert.deepEqual(
      states.map(({ value }) => value),
      [{ string: 'SUCCESS' }, { string: 'UPDATING' }, { string: 'SUCCESS' }],
    );
    const versions = samples.filter(
      ({ signal, from }) => signal.endsWith('CurrentVersion') && from === 'Snapshot',
    );
    assert.deepEqual(
      versions.map(({ value }) => value),
      [{ string: '1' }, { string: '2' }, { string: '1' }],
    );
    assert.ok(samples.some(({ signal }) => signal.endsWith('Host.MemoryUtilization')));
  });

  it('record a state once, although the daemon starts again in it', async (t) => {
    const directory = await scratchDirectory(t);
    const failure = { type: 'RECOVERABLE', reason: 'E100: why', traceback: '' } as const;
    for (let life = 0; life < 3; life++) {
      const one = await pipeline(t, directory);
      one.take([status({ status: 'FAILURE', failure })]);
      await one[Symbol.asyncDispose]();
    }
    const samples = await samplesIn(join(directory, 'diagnostics'));
    const snapshots = samples.filter(
      ({ signal, from }) => signal.endsWith('FailureReason') && from === 'Snapshot',
    );
    assert.equal(snapshots.length, 1);
  });

  it('hold each black box once, also one that is completed only after the failure was told', async (t) => {
    const directory = await scratchDirectory(t);
    const boxes = [
      { id: '20260101-000000-aaaa', at: 1_767_225_600_000, complete: true, cause: 'probe_failed' },
    ];
    const blackBoxes: PipelineOptions['blackBoxes'] = async () => boxes;
    const failure = { type: 'RECOVERABLE', reason: 'E100: why', traceback: '' } as const;
    for (let life = 0; life < 2; life++) {
      await using one = await pipeline(t, directory, { blackBoxes });
      one.take([status({ status: 'FAILURE', failure })]);
    }
    boxes.push({ id: '20260102-000000-bbbb', at: 1_767_312_000_000, complete: false, cause: 'unknown' });
    await (await pipeline(t, directory, { blackBoxes }))[Symbol.asyncDispose]();
    boxes[1] = { ...boxes[1], complete: true } as never;
    for (let life = 0; life < 2; life++) {
      await (await pipeline(t, directory, { blackBoxes }))[Symbol.asyncDispose]();
    }
    const samples = await samplesIn(join(directory, 'diagnostics'));
    const told = samples.filter(({ signal }) => signal === 'Vehicle.OTA.ECU.EcuSeven.BlackBox');
    assert.deepEqual(
      told.map(({ value }) => JSON.parse('string' in value ? value.string : '') as unknown),
      boxes,
    );
    assert.equal(told[0]?.ts, 1_767_225_600_000_000n);
  });

  it('take campaigns while they run, and keep a good one when its file is broken', async (t) => {
    const directory = await scratchDirectory(t);
    const file = join(directory, 'trip.yml');
    const text = (id: string): string => `id: ${id}\nsignals: [{path: Vehicle.Speed, mode: every}]\n`;
    const one = await pipeline(t, directory, { campaigns: [directory] });
    const states = (): string[] =>
      one
        .status()
        .campaigns.slice(1)
        .map(({ id, state, problem, samples }) => {
          return `${id} ${state} ${samples}${problem === '' ? '' : ` ${problem.slice(directory.length + 1)}`}`;
        });
    const send = (): void => {
      one.store.put('Vehicle.Speed', { value: 1, ts: 1n, receivedAt: performance.now() });
    };
    one.store.describe('Vehicle.Speed', 'float');
    send();
    assert.deepEqual(states(), []);
    await writeFile(file, text('trip'));
    await one.reload();
    send();
    assert.deepEqual(states(), ['trip active 1']);
    await writeFile(file, `${text('trip')}wrong: true\n`);
    await one.reload();
    send();
    assert.deepEqual(states(), [
      'trip active 2 trip.yml:3: wrong is not known here; correct its name, or remove it',
    ]);
    await writeFile(file, text('other'));
    // Found without being asked.
    while (!states().some((state) => state.startsWith('other'))) await setImmediate();
    send();
    assert.deepEqual(states(), ['other active 3']);
    // A broken file at a start: what was good last goes on, and is forgotten with the file.
    await writeFile(file, 'id: {');
    const next = new CampaignFiles([directory], join(directory, 'diagnostics/campaigns'));
    const [read] = await next.look();
    assert.equal(read?.campaign?.id, 'other');
    assert.equal(read.problems.length, 1);
    assert.equal((await readdir(join(directory, 'diagnostics/campaigns'))).length, 1);
    await rm(file);
    await one.reload();
    assert.deepEqual(states(), []);
    assert.deepEqual(await readdir(join(directory, 'diagnostics/campaigns')), []);
    await one[Symbol.asyncDispose]();
    const speeds = (await samplesIn(join(directory, 'diagnostics'))).filter(
      ({ signal }) => signal === 'Vehicle.Speed',
    );
    assert.equal(speeds.length, 3);
  });

  it('name ECUs by the rules of the catalog', () => {
    const names = ecuNames(['main', 'Main', 'ecu2', 'lidar_front-10', '42', '***']);
    assert.deepEqual(
      [...names.values()],
      ['Main', 'MainCopyZero', 'EcuTwo', 'LidarFrontOneZero', 'FourTwo', 'Ecu'],
    );
    for (const name of names.values()) assert.match(name, /^[A-Z][A-Za-z]*$/);
  });

  it('of a real daemon hold the course of a real update', async (t) => {
    const world = await UpdateWorld.create(t);
    await world.publish({ '/etc/os-release': 'two', '/big': 'x'.repeat(200_000) });
    const campaigns = join(world.directory, 'campaigns');
    await mkdir(campaigns);
    const options = `diagnostics: { campaigns: [${campaigns}] }\n`;
    const daemon = await DaemonProcess.create(t, { directory: world.directory, options });
    const supervised = daemon.supervise();
    await daemon.until('INITIALIZED');
    // A signal that ends most programs only makes it look at its campaigns.
    const file = join(campaigns, 'own.yml');
    for (const [text, told] of [
      ['id: own\nsignals: [{path: Vehicle.OTA.ECU.Main.State, mode: every}]\n', '"campaign":"own"'],
      ['id: own\nsignals: []\nwrong: 1\n', 'own.yml:3: wrong is not known here'],
    ] as const) {
      await writeFile(file, text);
      process.kill(daemon.pid ?? 0, 'SIGHUP');
      while (!daemon.log.includes(told)) await delay(20);
    }
    await daemon.update({ version: '2.0', url: world.server.origin.href });
    await daemon.until('SUCCESS', '2.0');
    await daemon.end('SIGTERM');
    await supervised;
    const samples = await samplesIn(join(world.directory, 'state/diagnostics'));
    const states = samples.filter(
      ({ signal, from }) => signal === 'Vehicle.OTA.ECU.Main.State' && from === 'TimeSeries',
    );
    // The same course by the other campaign, whose file is broken meanwhile.
    const words = states.map(({ value }) => ('string' in value ? value.string : ''));
    assert.ok(words.filter((word) => word === 'UPDATING').length >= 2, words.join());
    assert.equal(words.at(-1), 'SUCCESS');
    assert.ok(
      samples.some(
        ({ signal, value }) => signal.endsWith('DownloadedBytes') && 'long' in value && value.long > 0n,
      ),
    );
  });

  it('of a real daemon hold the whole record of a release that it came back from', async (t) => {
    const world = await UpdateWorld.create(t);
    await world.publish({ '/etc/os-release': 'two' });
    const options = `health_checks: [{ name: never, command: [/bin/sh, -c, 'echo is bad; exit 1'] }]
health: { start_timeout_ms: 500, interval_ms: 100 }
`;
    const daemon = await DaemonProcess.create(t, { directory: world.directory, options });
    const supervised = daemon.supervise();
    await daemon.until('INITIALIZED');
    await daemon.update({ version: '2.0', url: world.server.origin.href });
    await daemon.until('FAILURE');
    const directory = join(world.directory, 'state/diagnostics');
    // Told right after the failure, by the release that came back.
    const boxes = (samples: readonly Sample[]): Sample[] =>
      samples.filter(({ signal }) => signal === 'Vehicle.OTA.ECU.Main.BlackBox');
    while (boxes(await samplesIn(directory).catch(() => [])).length === 0) await delay(100);
    await daemon.end('SIGTERM');
    await supervised;
    const samples = await samplesIn(directory);
    const [box, ...more] = boxes(samples);
    assert.equal(more.length, 0);
    assert.ok(box !== undefined && 'string' in box.value);
    const told = JSON.parse(box.value.string) as {
      cause: string;
      complete: boolean;
      left: { version: string };
    };
    assert.deepEqual([told.cause, told.complete, told.left.version], ['probe_failed', true, '2.0']);
    assert.match(box.value.string, /is bad/);
    const reasons = samples.filter(
      ({ signal, from }) => signal.endsWith('Main.FailureReason') && from === 'Snapshot',
    );
    assert.equal(reasons.length, 1);
  });
});
