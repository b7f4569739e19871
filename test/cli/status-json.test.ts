import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { statusJson } from '#cli/status-json.ts';
import { VehicleView } from '#cli/vehicle-view.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';
import { projectRoot } from '../support/run-ota.ts';

const done = { files: 1, bytes: 1, elapsedMs: 1 };
const progress = updateProgress({ totalBytes: 3, wireBytes: 1, elapsedMs: 5, copy: done, download: done });

/** The same object with every value that is no object replaced by the name of its type. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, shape(field)]));
}

test('the example in docs/cli.md has the very keys, in their order, and types of the program', async () => {
  const page = await readFile(join(projectRoot, 'docs/cli.md'), 'utf8');
  const example = /<!-- example: status -->\s*```json\n(.*?)```/s.exec(page)?.[1] ?? '';
  const view = new VehicleView();
  const state = view.observe({ availableEcuIds: ['main'], ecus: [ecuStatus('main', { progress })] }, 0);
  const told = statusJson(state, '127.0.0.1:50051', 1_700_000_000_000);
  assert.equal(JSON.stringify(shape(JSON.parse(example))), JSON.stringify(shape(told)));
});

test('a daemon that is away is an object of the same shape, with what was seen before', () => {
  const view = new VehicleView();
  view.observe({ availableEcuIds: ['main'], ecus: [ecuStatus('main')] }, 0);
  const told = statusJson(view.lose('gone'), 'h:1', 0);
  assert.deepEqual(
    [told.reachable, told.error, told.ecus[0]?.presence, told.ecus[0]?.status],
    [false, 'gone', 'silent', 'SUCCESS'],
  );
});

test('times that no clock shows are null', () => {
  for (const startedAt of [0, Number.MAX_SAFE_INTEGER]) {
    const odd = ecuStatus('main', { progress: { ...progress, startedAt } });
    const state = new VehicleView().observe({ availableEcuIds: [], ecus: [odd] }, 0);
    assert.equal(statusJson(state, 'h:1', 0).ecus[0]?.progress?.started_at, null);
  }
});
