/**
 * Preloaded into a child process: kills it, as a power cut would, right before the change of the file system number
 * `CUT_AT` (counted from 1) that makes something visible or gone: a rename or an unlink.
 */
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const cutAt = Number(process.env['CUT_AT']);
let changes = 0;

function cutting<Arguments extends unknown[]>(change: (...args: Arguments) => Promise<void>) {
  return async (...args: Arguments): Promise<void> => {
    changes += 1;
    if (changes === cutAt) process.kill(process.pid, 'SIGKILL');
    await change(...args);
  };
}

promises.rename = cutting(promises.rename);
promises.unlink = cutting(promises.unlink);
syncBuiltinESMExports();
