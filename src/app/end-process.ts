import { accessSync, constants } from 'node:fs';
import { flushCompileCache } from 'node:module';

const shell = '/bin/sh';

/**
 * Ends the daemon at once, with this exit code. `process.exit` first waits for V8's own threads, one of which may be
 * compiling and wait for a garbage collection that the main thread never comes to: then the process stays for ever
 * (nodejs/node#54918; seen here, too). So a shell takes its place, and ends with the code.
 * Not for programs whose output others read: their pipes stay non-blocking.
 */
export function endProcess(exitCode: number): never {
  // All that process.exit does for us besides.
  flushCompileCache();
  try {
    accessSync(shell, constants.X_OK);
    process.execve?.(shell, ['sh', '-c', `exit ${exitCode}`], {});
  } catch {
    // A system without a shell: then as usual.
  }
  process.exit(exitCode);
}
