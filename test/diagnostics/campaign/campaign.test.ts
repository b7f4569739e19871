import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Campaign } from '#diagnostics/campaign/campaign.ts';
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

  constructor(text: string, datatypes: Readonly<Record<string, VssDatatype>> = { 'A.X': 'float' }) {
    for (const [path, datatype] of Object.entries(datatypes)) this.store.describe(path, datatype);
    this.runner = new CampaignRunner(campaign(text), {
      datatypeOf: (path) => this.store.datatypeOf(path),
      values: this.store,
      store: (bundle) => this.bundles.push(bundle),
    });
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

  it('that cannot be read is refused with the place and the mend', () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['id: a\nsignals: [{path: A.X, mode: sometimes}]', /signals\[0\]\.mode.*write every, on_change/],
      ['id: a\nsignals: [{path: Speed, mode: every}]', /signals\[0\]\.path.*absolute VSS path/],
      ['id: a\nsignals: [{path: A.X, mode: every}, {path: A.X, mode: every}]', /same signal as signals\[0\]/],
      [
        'id: a\nsignals: []\ntriggers: [{name: t, on: condition, when: "A.X >"}]',
        /triggers\[0\]\.when.*at character/,
      ],
      ['id: a\nsignals: []\ntriggers: [{name: t, on: update}]', /triggers\[0\]\.states.*is missing/],
      [
        'id: a\nstart: 2026-01-02T00:00:00Z\nexpires: 2026-01-01T00:00:00Z\nsignals: []',
        /expires.*not after start/,
      ],
      ['id: "a b"\nsignals: []', /id.*letters, digits/],
      ['[]', /./],
    ];
    for (const [text, message] of wrong) {
      const read = parseCampaign(text, 'c.yml');
      assert.ok(!read.ok, text);
      const told = read.problems.map(({ key, what, mend }) => `${key} ${what} ${mend}`).join('\n');
      assert.match(told, message);
    }
  });
});
