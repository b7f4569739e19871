import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Runs something up to its change number `cutAt` (counted from 1) of the file system that makes a name visible or gone:
 * nothing is done from there on, as if the power had gone, and the promises of the work never settle. False when the
 * work had no such change and came to its end. One at a time.
 */
export async function cutAtChange(cutAt: number, work: () => Promise<void>): Promise<boolean> {
  const { rename, unlink } = promises;
  const reached = Promise.withResolvers<true>();
  let changes = 0;
  function stopping<Arguments extends unknown[]>(change: (...args: Arguments) => Promise<void>) {
    return (...args: Arguments): Promise<void> => {
      changes += 1;
      if (changes < cutAt) return change(...args);
      reached.resolve(true);
      return new Promise(() => {});
    };
  }
  Object.assign(promises, { rename: stopping(rename), unlink: stopping(unlink) });
  syncBuiltinESMExports();
  try {
    return await Promise.race([reached.promise, work().then(() => false)]);
  } finally {
    Object.assign(promises, { rename, unlink });
    syncBuiltinESMExports();
  }
}
