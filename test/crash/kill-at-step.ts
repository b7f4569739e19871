/**
 * Preloaded into a daemon: kills it right after its journal has said, durably, that step `KILL_AT` begins; with `KILL_BEFORE` right
 * before the journal says so.
 */
import { readFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const step = process.env['KILL_AT'];
const isBefore = process.env['KILL_BEFORE'] === 'yes';
const { rename } = promises;

promises.rename = async (from, to) => {
  const isStep =
    String(to).endsWith('/journal.json') && readFileSync(from, 'utf8').includes(`"step":"${step}"`);
  if (isStep && isBefore) process.kill(process.pid, 'SIGKILL');
  await rename(from, to);
  if (isStep) process.kill(process.pid, 'SIGKILL');
};
syncBuiltinESMExports();
