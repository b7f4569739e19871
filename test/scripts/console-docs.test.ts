import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingPrograms } from '../support/missing-programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { servedConsole } from '../support/served-console.ts';

const page = join(import.meta.dirname, '../../docs/console.md');

test('the examples with curl in docs/console.md work as they stand', {
  skip: missingPrograms('curl'),
}, async (t) => {
  const { url, signals } = await servedConsole(t, { parts: { diagnostics: () => emptyDiagnostics } });
  signals.put('Vehicle.OTA.ECU.Main.State', { value: 'SUCCESS', ts: 1n, receivedAt: 0 });
  const state = await scratchDirectory(t);
  await mkdir(join(state, 'console'));
  await writeFile(join(state, 'console/local-token'), 'a-token-of-an-operator-for-tests\n');
  const [, script = ''] = /```sh\n(.*?)```/s.exec(await readFile(page, 'utf8')) ?? [];
  const here = script.replaceAll('/var/lib/ota', state).replaceAll('http://127.0.0.1:8081', url);
  // Each answer in a line of its own.
  const lines = `set -eu\n${here}`.replaceAll(/^ask .*$/gm, '$&; echo');
  const child = spawn('sh', ['-c', lines], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  const answers = stdout.split('\n').filter((line) => line.startsWith('{'));
  assert.equal(answers.length, script.match(/^ask \w/gm)?.length, stdout);
  for (const answer of answers) assert.equal(JSON.parse(answer).code, undefined, answer);
  assert.match(stdout, /"role":"ROLE_OPERATOR"/);
  assert.match(stdout, /Vehicle\.OTA\.ECU\.Main\.State/);
  assert.match(stdout, /^ota_ecu_reachable\{ecu="main"\} 1$/m);
});

const emptyDiagnostics = {
  sources: [],
  campaigns: [],
  lanes: [],
  droppedSamples: 0,
  evictedSegments: 0,
  quarantinedSegments: 0,
  oldestSegmentAgeMs: 0,
  collectedSegments: 0,
  collectedBytes: 0,
  uploadedSegments: 0,
  uploadedBytes: 0,
  uploadFailures: 0,
  uploadWaitingFor: '',
};
