import { spawn } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { aloneRun } from './run-alone.ts';

// `npm test`, or `npm test -- test/config ecu-info --only "is read"`: runs test/**/*.test.ts with Node's own runner.
// Arguments choose files: a path of a file or folder, or a part of a path. Proofs are not among them: `--slow` runs those
// of test/slow instead, `--vm` those of test/vm, `--crash` those of test/crash, `--browser` those of test/browser. The crash campaign takes `--cases`,
// `--seed`, and `--replay CASE` for a case that went wrong.

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    slow: { type: 'boolean', default: false },
    vm: { type: 'boolean', default: false },
    crash: { type: 'boolean', default: false },
    browser: { type: 'boolean', default: false },
    cases: { type: 'string' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    /** Runs only tests whose name matches. */
    only: { type: 'string' },
    concurrency: { type: 'string', default: String(Math.max(2, Math.min(4, availableParallelism()))) },
  },
});

for (const name of ['cases', 'seed', 'replay'] as const) {
  const value = values[name];
  if (value !== undefined) process.env[`CRASH_${name.toUpperCase()}`] = value;
}
if (values.replay !== undefined) positionals.push('test/crash/power-loss');

const proofs = (['slow', 'vm', 'crash', 'browser'] as const).find((folder) => values[folder]);
const pattern = proofs === undefined ? 'test/**/*.test.ts' : `test/${proofs}/*.proof.ts`;
const all = globSync(pattern, { cwd: root }).toSorted();
const chosen = all.filter(
  (file) => positionals.length === 0 || positionals.some((want) => matches(file, want)),
);
if (chosen.length === 0) {
  process.stderr.write(`no test file matches ${positionals.join(' ') || 'at all'}\n`);
  process.exit(1);
}

// What the crash campaign mounts is seen by nobody else, who would keep it busy, and is gone with the run however it ends.
const alone = proofs === 'crash' && process.geteuid?.() === 0 ? aloneRun() : undefined;
const [program, ...before] = [...(alone?.under ?? []), process.execPath] as const;
const runner = spawn(
  program,
  [
    ...before,
    '--test',
    '--test-reporter=spec',
    // Proofs measure or load the machine: one at a time, however long they take. A test that hangs fails.
    ...(proofs !== undefined
      ? ['--test-concurrency=1']
      : [`--test-concurrency=${values.concurrency}`, '--test-timeout=180000']),
    ...(values.only === undefined ? [] : [`--test-name-pattern=${values.only}`]),
    ...chosen,
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, ...alone?.env } },
);
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => runner.kill(alone === undefined ? name : 'SIGKILL'));
}
runner.on('error', (error) => {
  process.stderr.write(`the test runner does not start: ${error.message}\n`);
  process.exitCode = 1;
});
runner.on('exit', (code, signal) => {
  alone?.cleanUp();
  if (signal !== null) process.stderr.write(`the test runner was ended by ${signal}\n`);
  process.exitCode = code ?? 1;
});

function matches(file: string, want: string): boolean {
  const path = want.replace(/^\.\//, '').replace(/\/$/, '');
  const isFolder = statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isFolder ? file.startsWith(`${path}/`) : file.includes(path);
}
