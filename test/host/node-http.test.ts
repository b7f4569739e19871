import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

test("nothing that a starting daemon loads brings Node's fetch with it", () => {
  const daemon = import.meta.resolve('#app/daemon.ts');
  const script = `await import(${JSON.stringify(daemon)}); console.log(process.moduleLoadList.join('\\n'))`;
  const loaded = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  assert.match(loaded, /NativeModule http$/m);
  assert.doesNotMatch(loaded, /undici/, 'import values of node:http from #host/node-http.ts');
});
