/**
 * Preloaded into a daemon: rewrites one source as it is loaded, so that the daemon has the durability bug that `CRASH_BUG` names. A bug
 * whose text is not found in its source any more ends the process: it would prove nothing.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bugNamed, withBug } from './seeded-bugs.ts';

const bug = bugNamed(process.env['CRASH_BUG'] ?? '');
const sources = fileURLToPath(new URL('../../../src/', import.meta.url));

registerHooks({
  load(url, context, nextLoad) {
    const path = url.startsWith('file:') ? fileURLToPath(url) : '';
    if (!path.startsWith(sources) || !bug.changes.some(({ file }) => sources + file === path)) {
      return nextLoad(url, context);
    }
    const source = withBug(bug, path.slice(sources.length), readFileSync(path, 'utf8'));
    return { format: 'module-typescript', source, shortCircuit: true };
  },
});
