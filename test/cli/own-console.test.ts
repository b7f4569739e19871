import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { makeCertificate } from '#image/build/certificate.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { freePort } from '../support/free-port.ts';
import type { OtaRun } from '../support/run-ota.ts';
import { runOta } from '../support/run-ota.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

/** A certificate that nobody vouches for, and its key, beside the daemon's other files. */
async function certificate(directory: string, name: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = { commonName: name };
  const pem = makeCertificate({
    subject,
    issuer: subject,
    publicKey: privateKey,
    signerKey: privateKey,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 86_400_000),
    isCa: false,
  });
  await writeFile(join(directory, `${name}.pem`), pem);
  await writeFile(join(directory, `${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return join(directory, `${name}.pem`);
}

/** A real daemon, and `ota` on the same machine with nothing but its configuration. */
async function openEcu(t: TestContext, console: (directory: string) => Promise<string>) {
  const world = await UpdateWorld.create(t);
  const { directory } = world;
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  const options = `console: { port: ${await freePort()}, ${await console(directory)} }`;
  const daemon = await DaemonProcess.create(t, { directory, options });
  void daemon.supervise();
  await daemon.until('INITIALIZED');
  const env = { OTA_ECU_INFO: join(directory, 'ecu_info.yml'), OTA_OPTIONS: join(directory, 'ota.yml') };
  return {
    directory,
    daemon,
    world,
    ota: (...words: string[]): Promise<OtaRun> => runOta(t, words, { env }),
  };
}

test('the console of this ECU is found by its configuration, and lets the user of its daemon in', async (t) => {
  const { daemon, ota } = await openEcu(t, () => Promise.resolve('enabled: true'));
  await daemon.untilLogged(/the console is served/);
  const { code, stdout, stderr } = await ota('events');
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^\S+Z {2}- +daemon +the daemon starts/m);
});

test('a plan of the vehicle is made by the real daemon, which then does what it planned', async (t) => {
  const { daemon, world, ota } = await openEcu(t, () => Promise.resolve('enabled: true'));
  await world.publish({ 'etc/issue': 'one', 'usr/new': 'y'.repeat(3000) });
  await daemon.untilLogged(/the console is served/);
  const words = ['--ecu', 'main', '--version', '2', '--url', world.server.origin.href];
  const { code, stdout, stderr } = await ota('plan', ...words, '--json');
  assert.deepEqual([code, stderr], [0, '']);
  const [plan] = JSON.parse(stdout).ecus;
  assert.deepEqual([plan.ecu_id, plan.known, plan.fits, plan.refusals], ['main', true, true, []]);
  assert.deepEqual(
    [plan.copy, plan.download],
    [
      { files: 1, bytes: 3 },
      { files: 1, bytes: 3000 },
    ],
  );
  const nobody = await ota('plan', '--ecu', 'nobody', ...words.slice(2));
  assert.notEqual(nobody.code, 2, nobody.stderr);
  const host = ['--host', daemon.address];
  assert.equal((await ota('update', ...words, ...host, '--wait')).code, 0);
});

test('with TLS this ECU trusts the very certificate of its configuration, and no other', async (t) => {
  const { directory, daemon, ota } = await openEcu(
    t,
    async (home) =>
      `certificate_file: ${await certificate(home, 'console')}, key_file: ${join(home, 'console.key')}`,
  );
  await daemon.untilLogged(/the console is served/);
  const { code, stderr } = await ota('events');
  assert.deepEqual([code, stderr], [0, '']);
  // The file has another one than the daemon shows: somebody else may have taken its place.
  await rename(await certificate(directory, 'other'), join(directory, 'console.pem'));
  const refused = await ota('events');
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, /the certificate of https:.* is not trusted/);
});

test('a console that is switched off is told, and takes nothing from the rest', async (t) => {
  const { ota, daemon } = await openEcu(t, () => Promise.resolve('enabled: false'));
  const { code, stderr } = await ota('events');
  assert.equal(code, 2);
  assert.match(stderr, /ota\.yml switches the console of this ECU off \(console\.enabled\)/);
  assert.equal((await ota('status', '--host', daemon.address)).code, 0);
});
