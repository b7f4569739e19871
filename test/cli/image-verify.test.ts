import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { imageInspectCommand } from '#cli/image-inspect.ts';
import { imageKeysCommand } from '#cli/image-keys.ts';
import { imageSignCommand } from '#cli/image-sign.ts';
import { imageVerifyCommand } from '#cli/image-verify.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { buildImage } from '#image/build/write-image.ts';
import { captured } from '../support/captured-command.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

interface Place {
  readonly image: string;
  readonly keys: string;
  readonly signing: readonly string[];
}

/** An image that is not signed yet, and keys that the command made. */
async function place(t: TestContext): Promise<Place> {
  const [source, scratch] = [await scratchDirectory(t), await scratchDirectory(t)];
  const [image, keys] = [join(scratch, 'image'), join(scratch, 'keys')];
  writeFileSync(join(source, "it's, plain"), 'plain');
  writeFileSync(join(source, 'large'), 'x'.repeat(30_000));
  await buildImage({ source: directorySource(source), output: image });
  const { code, stdout } = await captured(imageKeysCommand, ['--chain', 'test', '--json', keys]);
  assert.equal(code, 0);
  const made = JSON.parse(stdout) as { sign_key: string; sign_certificate: string };
  return { image, keys, signing: ['--key', made.sign_key, '--certificate', made.sign_certificate] };
}

/** The directory over HTTP; answers its base URL. */
async function served(t: TestContext, directory: string): Promise<string> {
  const server = createServer((request, response) => {
    const file = join(directory, decodeURIComponent(request.url ?? ''));
    if (existsSync(file)) createReadStream(file).pipe(response);
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('ota image sign, inspect and verify', () => {
  it('go together, in a directory', async (t) => {
    const { image, keys, signing } = await place(t);
    assert.match((await captured(imageInspectCommand, [image])).stdout, /signature +none/);
    const signed = await captured(imageSignCommand, [...signing, image]);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stdout, /^Signed .* by CN=test image signer, valid until \d{4}-\d\d-\d\d\n$/);
    const inspected = await captured(imageInspectCommand, [image]);
    assert.match(inspected.stdout, /signed by +CN=test image signer/);
    assert.match(inspected.stdout, /30\.0 kB {2}\/large/);
    const verified = await captured(imageVerifyCommand, ['--trust', keys, '--deep', image]);
    assert.deepEqual([verified.code, verified.stderr], [0, '']);
    assert.match(verified.stdout, /good, 2 entries; read 2 files/);
  });

  it('go together, on a server', async (t) => {
    const { image, keys, signing } = await place(t);
    await captured(imageSignCommand, [...signing, image]);
    const url = await served(t, image);
    const verified = await captured(imageVerifyCommand, ['--trust', keys, '--deep', '--json', url]);
    assert.equal(verified.code, 0, verified.stderr);
    const report = JSON.parse(verified.stdout) as Record<string, unknown>;
    assert.deepEqual([report['ok'], report['files_read'], report['damaged']], [true, 2, []]);
    const inspected = await captured(imageInspectCommand, ['--json', `${url}/`]);
    const summary = JSON.parse(inspected.stdout) as Record<string, unknown>;
    assert.deepEqual([summary['regulars'], summary['stored_bytes']], [2, null]);
  });

  it('say what is damaged, with exit code 1', async (t) => {
    const { image, keys, signing } = await place(t);
    await captured(imageSignCommand, [...signing, image]);
    writeFileSync(join(image, "rootfs/it's, plain"), 'PLAIN');
    assert.equal((await captured(imageVerifyCommand, ['--trust', keys, image])).code, 0);
    const text = await captured(imageVerifyCommand, ['--trust', keys, '--deep', image]);
    assert.equal(text.code, 1);
    assert.match(text.stdout, /it%27s%2C%20plain: holds .*\n.*damaged files: 1/);
  });

  it('refuse an image that the trust directory does not vouch for, with its code in --json', async (t) => {
    const { image, keys, signing } = await place(t);
    await captured(imageSignCommand, [...signing, image]);
    const empty = await scratchDirectory(t);
    const refused = await captured(imageVerifyCommand, ['--trust', empty, '--json', image]);
    assert.equal(refused.code, 1);
    const report = JSON.parse(refused.stdout) as { ok: boolean; refused: { code: string } };
    assert.deepEqual([report.ok, report.refused.code], [false, 'trust_store_empty']);
    const text = await captured(imageVerifyCommand, ['--trust', empty, image]);
    assert.deepEqual([text.code, text.stdout], [1, '']);
    assert.match(text.stderr, /^ota image verify: no root certificate/);
    assert.equal((await captured(imageVerifyCommand, ['--trust', keys, image])).code, 0);
  });

  it('never overwrite keys', async (t) => {
    const { keys } = await place(t);
    const again = await captured(imageKeysCommand, ['--chain', 'other', keys]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /sign\.pem exists already|sign\.key exists already/);
  });

  it('are called wrongly with exit code 2', async (t) => {
    const { image, keys, signing } = await place(t);
    const wrong = [
      [imageVerifyCommand, [image]],
      [imageVerifyCommand, ['--trust', keys]],
      [imageVerifyCommand, ['--trust', keys, 'ftp://host/image']],
      [imageInspectCommand, []],
      [imageInspectCommand, [image, image]],
      [imageSignCommand, [image]],
      [imageSignCommand, [...signing]],
      [imageKeysCommand, []],
      [imageKeysCommand, ['--days', 'many', keys]],
    ] as const;
    for (const [command, args] of wrong) {
      const { code, stderr } = await captured(command, args);
      assert.equal(code, 2, `${command.name} ${args.join(' ')}: ${stderr}`);
    }
  });

  it('have help', async () => {
    for (const command of [imageVerifyCommand, imageInspectCommand, imageSignCommand, imageKeysCommand]) {
      const { code, stdout } = await captured(command, ['--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: ota ${command.name} `));
    }
  });
});
