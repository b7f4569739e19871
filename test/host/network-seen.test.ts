import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { runCommand } from '#host/command.ts';
import { networkSeen } from '#host/network-seen.ts';

const never = new AbortController().signal;

test('names the addresses by which this machine reaches others', () => {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4');
  for (const { address } of own) assert.ok(networkSeen().includes(address), networkSeen());
  assert.doesNotMatch(networkSeen(), /127\.0\.0\.1|::1\//);
});

test('says so when there is only loopback', async (t) => {
  const script = `import { networkSeen } from ${JSON.stringify(import.meta.resolve('#host/network-seen.ts'))};console.log(networkSeen())`;
  const argv = [
    'unshare',
    '--user',
    '--net',
    process.execPath,
    '--input-type=module',
    '--eval',
    script,
  ] as const;
  const { exitCode, stdout, stderr } = await runCommand({ argv: [...argv], timeoutMs: 60_000 }, never);
  if (exitCode !== 0 && /unshare/.test(stderr)) {
    t.skip('this system gives no namespaces to this user');
    return;
  }
  assert.equal(stdout.trim(), 'this machine has no network address');
});
