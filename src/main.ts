import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

// The daemon's door: gives the process to one ECU's daemon and ends it with its exit code.
// usage: node src/main.ts [ECU_INFO_FILE [OPTIONS_FILE]]
//        node src/main.ts --compile     only compiles, for the next start

// An update makes much short-lived garbage, in the workers too, and V8 would rather grow than collect: measured 260 MiB
// without and 200 MiB with this, at the same speed. Set before workers and modules exist.
setFlagsFromString('--optimize-for-size');
// Compiled sources are kept in a place of our own (never in /tmp, where others could put code under our name): the next
// start is faster, and needs no memory for stripping types, in the workers neither. Failing to keep them does no harm.
keepCompiled();
const { endProcess } = await import('#app/end-process.ts');
const { runDaemon } = await import('#app/daemon.ts');
// Stripping types takes 25 MiB that are never given back: a unit does that in a process of its own.
if (process.argv[2] === '--compile') {
  await (await import('#app/late-parts.ts')).loadLateParts();
  endProcess(0);
}

const controller = new AbortController();

function keepCompiled(): void {
  try {
    enableCompileCache(process.env['NODE_COMPILE_CACHE'] ?? join(homedir(), '.cache/ota/compiled'));
  } catch {
    // A user without a home: everything is compiled anew at every start.
  }
}

/** The second signal does not wait for an orderly end. SIGHUP ends nothing: campaigns and certificates are read again. */
function stopOnSignals(): void {
  process.on('SIGHUP', () => {});
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) endProcess(1);
      controller.abort();
    });
  }
}

/** A defect: nothing that is still running can be trusted. The next start finds out what was interrupted. */
function failOnDefects(): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (defect: unknown) => {
      const stack = defect instanceof Error ? defect.stack : String(defect);
      process.stderr.write(`${JSON.stringify({ level: 60, time: Date.now(), msg: event, stack })}\n`);
      endProcess(1);
    });
  }
}

stopOnSignals();
failOnDefects();
const [ecuInfoPath, optionsPath] = process.argv.slice(2);
const exitCode = await runDaemon({
  ecuInfoPath,
  optionsPath,
  env: process.env,
  cwd: process.cwd(),
  signal: controller.signal,
});
endProcess(exitCode);
