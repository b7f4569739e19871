import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Campaign } from '#diagnostics/campaign/campaign.ts';
import type { RememberedCampaign } from '#diagnostics/campaign/campaign-memory.ts';
import { parseCampaign } from '#diagnostics/campaign/parse-campaign.ts';
import { type Bundle, CampaignRunner } from '#diagnostics/campaign/runner.ts';
import { samplesOf } from '#diagnostics/messages/samples.ts';
import type { VssDatatype, VssValue } from '#diagnostics/messages/vss-value.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';

function campaign(text: string): Campaign {
  const read = parseCampaign(text, 'campaign.yml');
  assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.problems));
  return read.campaign;
}

/** A campaign under a clock that the test turns by hand, in milliseconds. */
class Drive {
  readonly store = new SignalStore();
  readonly runner: CampaignRunner;
  readonly bundles: Bundle[] = [];

  remembered = 0;

  constructor(
    text: string,
    datatypes: Readonly<Record<string, VssDatatype>> = { 'A.X': 'float' },
    { before, unixNow = 0 }: { readonly before?: RememberedCampaign; readonly unixNow?: number } = {},
  ) {
    for (const [path, datatype] of Object.entries(datatypes)) this.store.describe(path, datatype);
    const world = {
      datatypeOf: (path: string) => this.store.datatypeOf(path),
      values: this.store,
      store: (bundle: Bundle) => this.bundles.push(bundle),
      remember: () => void this.remembered++,
      unixNow: () => unixNow,
    };
    this.runner = new CampaignRunner(campaign(text), world, before);
    this.store.subscribe((path, value) => this.runner.accept(path, value));
  }

  send(now: number, value: VssValue, path = 'A.X'): void {
    this.store.put(path, { value, ts: BigInt(now) * 1000n, receivedAt: now });
  }

  /** `path@milliseconds=value` of everything that was kept. */
  kept(): string[] {
    this.runner.flush();
    return this.bundles.flatMap(({ messages }) =>
      messages.flatMap((message) =>
        [...samplesOf('Message', message)].map(
          ({ signal, ts, value }) => `${signal}@${(ts ?? 0n) / 1000n}=${String(Object.values(value)[0])}`,
        ),
      ),
    );
  }
}

describe('a campaign', () => {
  it('keeps every value', () => {
    const drive = new Drive('id: a\nsignals: [{path: A.X, mode: every}]');
    for (const [now, value] of [
      [0, 1],
      [10, 1],
      [20, 2],
    ] as const)
      drive.send(now, value);
    assert.deepEqual(drive.kept(), ['A.X@0=1', 'A.X@10=1', 'A.X@20=2']);
  });

  it('keeps changes beyond the dead band, and a heartbeat of what is still sent', () => {
    const drive = new Drive(
      'id: a\nsignals: [{path: A.X, mode: on_change, dead_band: 0.5, heartbeat_ms: 1000}]',
    );
    for (const [now, value] of [
      [0, 1],
      [100, 1.4],
      [200, 1.6],
      [300, 1.2],
      [1300, 1.3],
    ] as const)
      drive.send(now, value);
    drive.runner.advance(5000);
    assert.deepEqual(drive.kept(), ['A.X@0=1', 'A.X@200=1.6', 'A.X@1300=1.3']);
  });

  it('measures the dead band relative to the last kept value too', () => {
    const drive = new Drive(
      'id: a\nsignals: [{path: A.X, mode: on_change, dead_band: 1, dead_band_percent: 10}]',
    );
    for (const [now, value] of [
      [0, 100],
      [1, 109],
      [2, 111],
      [3, 101],
      [4, 2],
      [5, 2.9],
      [6, 3.1],
      [7, NaN],
      [8, NaN],
    ] as const)
      drive.send(now, value);
    assert.deepEqual(drive.kept(), ['A.X@0=100', 'A.X@2=111', 'A.X@4=2', 'A.X@6=3.1', 'A.X@7=NaN']);
  });

  it('keeps the latest value of each period, once', () => {
    const drive = new Drive('id: a\nsignals: [{path: A.X, mode: periodic, period_ms: 100}]');
    for (let now = 0; now <= 300; now += 30) drive.send(now, now);
    for (let now = 310; now < 900; now += 10) drive.runner.advance(now);
    assert.deepEqual(drive.kept(), ['A.X@0=0', 'A.X@120=120', 'A.X@210=210', 'A.X@300=300']);
  });

  it('keeps the statistics of windows under paths of their own', () => {
    const drive = new Drive('id: a\nsignals: [{path: A.X, mode: window, window_ms: 100}]');
    for (const [now, value] of [
      [0, 3],
      [50, 1],
      [90, 5],
    ] as const)
      drive.send(now, value);
    drive.runner.advance(100);
    assert.deepEqual(drive.kept(), [
      'Vehicle.OTA.Statistics.A.X.Min@90=1',
      'Vehicle.OTA.Statistics.A.X.Max@90=5',
      'Vehicle.OTA.Statistics.A.X.Mean@90=3',
    ]);
  });

  it('keeps what came before a trigger and after it, with the priority of the trigger', () => {
    const drive = new Drive(`
id: a
priority: bulk
signals: [{path: A.X, mode: buffer, buffer: 3}]
triggers:
  - {name: hot, on: condition, when: A.X > 10, before_ms: 25, after_ms: 20, priority: critical, snapshot: true}`);
    for (let now = 0; now <= 100; now += 10) drive.send(now, now === 50 ? 11 : now / 10);
    assert.deepEqual(drive.kept(), [
      'A.X@50=11',
      'A.X@30=3',
      'A.X@40=4',
      'A.X@50=11',
      'A.X@60=6',
      'A.X@70=7',
    ]);
    assert.deepEqual([...new Set(drive.bundles.map(({ priority }) => priority))], ['critical']);
    assert.equal(drive.runner.counts.triggered, 1);
  });

  it('fires on the rising edge only, and not again before the interval is over', () => {
    const drive = new Drive(`
id: a
signals: [{path: A.X, mode: buffer}]
triggers: [{name: t, on: condition, when: A.X > 10, min_interval_ms: 100}]`);
    for (const [now, value] of [
      [0, 11],
      [10, 12],
      [20, 1],
      [30, 11],
      [40, 1],
      [150, 11],
    ] as const)
      drive.send(now, value);
    assert.equal(drive.runner.counts.triggered, 2);
  });

  it('fires once its condition has held for long enough, without a break', () => {
    const drive = new Drive(`
id: a
max_age_ms: 1000
signals: [{path: A.X, mode: buffer}]
triggers: [{name: t, on: condition, when: A.X > 10, for_ms: 100}]`);
    const fired = (): number => drive.runner.counts.triggered;
    drive.send(0, 11);
    drive.send(90, 12);
    drive.send(95, 1);
    drive.send(100, 11);
    drive.send(199, 11);
    assert.equal(fired(), 0);
    drive.runner.advance(200);
    assert.equal(fired(), 1);
    drive.send(400, 11);
    assert.equal(fired(), 1);
  });

  it('fires by a value that becomes stale', () => {
    const drive = new Drive(`
id: a
max_age_ms: 100
signals: [{path: A.X, mode: buffer}]
triggers: [{name: silent, on: condition, when: not known(A.X)}]`);
    drive.send(0, 11);
    drive.runner.advance(100);
    assert.equal(drive.runner.counts.triggered, 0);
    drive.runner.advance(101);
    assert.equal(drive.runner.counts.triggered, 1);
  });

  it('fires when a list of trouble codes gets a new one, also over a restart', () => {
    const text = `
id: a
signals: []
triggers: [{name: dtc, on: trouble_codes, path: A.L, snapshot: [A.L], priority: critical}]`;
    const drive = new Drive(text, { 'A.L': 'string[]' });
    for (const codes of [[], ['P0420'], ['P0420'], ['U0100', 'P0420'], ['U0100'], []])
      drive.send(1, codes, 'A.L');
    assert.equal(drive.runner.counts.triggered, 2);
    drive.send(2, ['P0001'], 'A.L');
    assert.equal(drive.runner.counts.triggered, 3);
    const again = new Drive(text, { 'A.L': 'string[]' }, { before: drive.runner.remembered(2) });
    again.send(0, ['P0001'], 'A.L');
    assert.equal(again.runner.counts.triggered, 0);
    again.send(1, ['P0001', 'P0002'], 'A.L');
    assert.equal(again.runner.counts.triggered, 1);
  });

  it('fires a trigger that fires once no second time, also not after a restart', () => {
    const text = `
id: a
signals: [{path: A.X, mode: buffer}]
triggers: [{name: t, on: condition, when: A.X > 10, once: true}]`;
    const drive = new Drive(text);
    for (const value of [11, 1, 11]) drive.send(1, value);
    assert.equal(drive.runner.counts.triggered, 1);
    assert.ok(drive.remembered > 0);
    const again = new Drive(text, undefined, { before: drive.runner.remembered(1) });
    for (const value of [11, 1, 11]) again.send(1, value);
    assert.equal(again.runner.counts.triggered, 0);
  });

  it('goes on with the budget of the hour after a restart, and has a new one after the hour', () => {
    const text = 'id: a\nbudget: {bytes_per_hour: 60}\nsignals: [{path: A.X, mode: every}]';
    const drive = new Drive(text, undefined, { unixNow: 1_000_000 });
    // A float with its time takes 13 bytes.
    for (let now = 0; now < 3; now++) drive.send(now, now);
    const before = drive.runner.remembered(1_800_000);
    const soon = new Drive(text, undefined, { before, unixNow: 1_000_000 + 600_000 });
    for (let now = 0; now < 3; now++) soon.send(now, now);
    assert.deepEqual([soon.runner.counts.samples, soon.runner.counts.overBudget], [1, 2]);
    soon.send(1_200_000, 1);
    assert.equal(soon.runner.counts.samples, 2);
    const backwards = new Drive(text, undefined, { before, unixNow: 0 });
    for (let now = 0; now < 3; now++) backwards.send(now, now);
    assert.equal(backwards.runner.counts.samples, 1);
    const later = new Drive(text, undefined, { before, unixNow: 1_000_000 + 1_800_000 });
    for (let now = 0; now < 3; now++) later.send(now, now);
    assert.equal(later.runner.counts.samples, 3);
  });

  it('counts what a trigger brings against the bytes, and not against the rate', () => {
    const text = (budget: string): string => `
id: a
budget: {${budget}}
signals: [{path: A.X, mode: buffer, buffer: 20}]
triggers: [{name: t, on: condition, when: A.X > 10, before_ms: 100, snapshot: true}]`;
    const rate = new Drive(text('samples_per_second: 2'));
    for (let now = 0; now < 12; now++) rate.send(now, now);
    assert.deepEqual([rate.runner.counts.samples, rate.runner.counts.overBudget], [13, 0]);
    const bytes = new Drive(text('bytes_per_hour: 40'));
    for (let now = 0; now < 12; now++) bytes.send(now, now);
    assert.deepEqual([bytes.runner.counts.samples, bytes.runner.counts.overBudget], [3, 10]);
  });

  it('keeps the higher priority while two triggers overlap', () => {
    const drive = new Drive(`
id: a
priority: bulk
signals: [{path: A.X, mode: buffer, buffer: 5}]
triggers:
  - {name: hot, on: condition, when: A.X > 10, after_ms: 50, priority: critical}
  - {name: warm, on: condition, when: A.X > 5, after_ms: 100, priority: normal}`);
    for (let now = 0; now <= 120; now += 10) drive.send(now, now === 20 ? 11 : now === 30 ? 1 : 7);
    drive.runner.advance(200);
    const course = drive.bundles.map(({ priority }) => priority);
    assert.deepEqual(
      course.filter((priority, at) => priority !== course[at - 1]),
      ['normal', 'critical'],
    );
  });

  it('ends with everything that it has, unfinished windows too', () => {
    const drive = new Drive(
      'id: a\nsignals: [{path: A.X, mode: window, window_ms: 60000}, {path: A.Y, mode: periodic, period_ms: 60000}]',
      { 'A.X': 'float', 'A.Y': 'uint8' },
    );
    for (const value of [1, 3]) {
      drive.send(value, value);
      drive.send(value, value, 'A.Y');
    }
    drive.runner.finish(4);
    assert.equal(drive.bundles.length, 1);
    assert.ok(drive.kept().includes('Vehicle.OTA.Statistics.A.X.Mean@3=2'));
    assert.ok(drive.kept().includes('A.Y@3=3'));
  });

  it('hands over what has become large, however long it may wait', () => {
    const drive = new Drive('id: a\nflush_ms: 600000\nsignals: [{path: A.X, mode: every}]');
    for (let now = 0; now < 20_000; now++) drive.send(now, now);
    assert.equal(drive.bundles.length, 2);
    const texts = new Drive('id: a\nflush_ms: 600000\nsignals: [{path: A.S, mode: every}]', {
      'A.S': 'string',
    });
    for (let now = 0; now < 5; now++) texts.send(now, 'x'.repeat(300_000), 'A.S');
    assert.equal(texts.bundles.length, 5);
  });

  it('fires on the states of the update and on failure', () => {
    const drive = new Drive(`
id: a
signals: [{path: A.X, mode: periodic, period_ms: 60000}]
triggers:
  - {name: begin, on: update, states: [UPDATING], snapshot: [A.X]}
  - {name: failed, on: failure, snapshot: true, priority: critical}`);
    drive.send(0, 7);
    drive.runner.event({ kind: 'update', state: 'SUCCESS' }, 1);
    drive.runner.event({ kind: 'update', state: 'UPDATING' }, 2);
    drive.runner.event({ kind: 'failure' }, 3);
    const snapshots = drive.bundles.filter(({ messages }) => messages.some(({ item }) => 'Snapshot' in item));
    assert.deepEqual(
      snapshots.map(({ priority }) => priority),
      ['normal', 'critical'],
    );
  });

  it('counts what its budget and the datatypes do not allow', () => {
    const drive = new Drive(
      'id: a\nbudget: {samples_per_second: 5}\nsignals: [{path: A.X, mode: every}, {path: A.Y, mode: every}, {path: A.Z, mode: every}]',
      { 'A.X': 'float', 'A.Y': 'uint8' },
    );
    for (let now = 0; now < 10; now++) drive.send(now, now);
    drive.send(11, 256, 'A.Y');
    drive.send(12, 1, 'A.Z');
    const { samples, overBudget, unusable } = drive.runner.counts;
    assert.deepEqual({ samples, overBudget, unusable }, { samples: 5, overBudget: 5, unusable: 2 });
  });

  it('hands over its values after the time for bundling, each signal as one series', () => {
    const drive = new Drive('id: a\nflush_ms: 100\nsignals: [{path: A.X, mode: every}]');
    for (let now = 0; now <= 100; now += 10) drive.send(now, now);
    assert.equal(drive.bundles.length, 1);
    assert.equal(drive.bundles[0]?.messages.length, 1);
  });
});
