import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { consoleProblems } from '#cli/check-console.ts';
import { loadConfig } from '#config/load.ts';
import { freePort } from '../support/free-port.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { servedConsole } from '../support/served-console.ts';

async function problemsOf(t: TestContext, options: string): Promise<string[]> {
  const cwd = await scratchDirectory(t);
  await writeFile(join(cwd, 'ecu_info.yml'), 'ecu_id: main\nip_addr: 127.0.0.1\n');
  await writeFile(join(cwd, 'ota.yml'), options);
  const config = await loadConfig({ cwd, env: {} });
  return (await consoleProblems(config)).map(({ key, what, mend }) => `${key} ${what}; ${mend}`);
}

test('a console that can be served has no problems, and one that is switched off neither', async (t) => {
  assert.deepEqual(await problemsOf(t, `console: { port: ${await freePort()} }\n`), []);
  assert.deepEqual(await problemsOf(t, 'console: { enabled: false, tokens_file: /nowhere }\n'), []);
});

test('the console of the daemon that runs is no problem; another program on its port is one', async (t) => {
  const { server } = await servedConsole(t);
  assert.deepEqual(await problemsOf(t, `console: { port: ${server.port} }\n`), []);
  const other = createServer((socket) => socket.end('hello\n')).listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  assert.match(
    (await problemsOf(t, `console: { port: ${port} }\n`)).join(),
    /^console\.port .*in use by another program/,
  );
  const own = await problemsOf(t, `listen: { port: ${port} }\nconsole: { port: ${port} }\n`);
  assert.match(own.join(), /which is that of the ECU itself/);
});

test('files that are missing or broken are named, with what to do', async (t) => {
  const port = await freePort();
  const directory = await scratchDirectory(t);
  await writeFile(join(directory, 'tokens.yml'), 'tokens:\n- { name: anna, role: king, sha256: "00" }\n');
  const problems = await problemsOf(
    t,
    `console: { port: ${port}, tokens_file: ${directory}/tokens.yml, certificate_file: /nowhere/cert.pem, key_file: /nowhere/key.pem }\n`,
  );
  assert.match(problems.join('\n'), /tokens\[0\]\.role is "king"; write one of viewer, operator, metrics/);
  assert.match(problems.join('\n'), /tokens\[0\]\.sha256 is not valid; write the 64 hex/);
  assert.match(problems.join('\n'), /console\.certificate_file \/nowhere\/cert\.pem cannot be read/);
});
