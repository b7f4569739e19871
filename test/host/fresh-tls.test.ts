import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { FreshTls } from '#host/fresh-tls.ts';
import { readTlsMaterial, TlsFileError, type TlsMaterial } from '#host/tls-material.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { makeRoot, type Signer } from '../support/signing-chain.ts';

const names = { certificate: 'tls.cert', key: 'tls.key', ca: 'tls.ca' };

async function setting(t: TestContext) {
  const directory = await scratchDirectory(t);
  const save = (name: string, text: string) => writeFile(join(directory, name), text);
  const put = async ({ pem, key }: Signer): Promise<void> => {
    await save('cert', pem);
    await save('key', key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  };
  const files = {
    certificate: join(directory, 'cert'),
    key: join(directory, 'key'),
    ca: join(directory, 'ca'),
  };
  const log = new MemoryLog();
  const presented: string[] = [];
  const arrived = Promise.withResolvers<void>();
  const present = ({ cert, ca }: TlsMaterial) => {
    presented.push(Buffer.concat([cert, ca ?? cert]).toString());
    arrived.resolve();
  };
  const read = () => readTlsMaterial(files, names);
  const fresh = (lookEveryMs?: number): FreshTls => {
    const made = new FreshTls({ who: 'it', read, present, log, ...(lookEveryMs && { lookEveryMs }) });
    t.after(() => made[Symbol.dispose]());
    return made;
  };
  return { save, put, read, fresh, log, presented, arrived: arrived.promise };
}

test('a pair that does not belong together is refused once, and what was good stays', async (t) => {
  const { save, put, fresh, log, presented } = await setting(t);
  const [one, two] = [makeRoot('one'), makeRoot('two')];
  await put(one);
  await save('ca', one.pem);
  const tls = fresh();
  await tls.look();
  await tls.look();
  assert.equal(presented.length, 1, 'what is the same is not presented again');
  await save('cert', two.pem);
  await tls.look();
  await tls.look();
  assert.equal(presented.length, 1);
  const refused = log.lines.filter((line) => line.startsWith('error'));
  assert.equal(refused.length, 1, refused.join('\n'));
  assert.match(
    refused[0] ?? '',
    /it goes on with the certificate that it has: tls\.key .*key cannot be used: /,
  );
  await put(two);
  await tls.look();
  assert.deepEqual(
    presented.map((text) => text.startsWith(two.pem)),
    [false, true],
  );
});

test('an empty list of authorities does not stand for those of Node', async (t) => {
  const { save, put, read } = await setting(t);
  await put(makeRoot('one'));
  await save('ca', '');
  await assert.rejects(read(), (error) => {
    assert.ok(error instanceof TlsFileError);
    assert.equal(error.code, 'tls_invalid');
    return /tls\.ca .*ca cannot be used: there is no certificate in it/.test(error.message);
  });
});

test('files are looked at without being told to', { timeout: 10_000 }, async (t) => {
  const { save, put, fresh, arrived } = await setting(t);
  await put(makeRoot('one'));
  await save('ca', makeRoot('ca').pem);
  const keepsAlive = setTimeout(() => {}, 10_000);
  t.after(() => clearTimeout(keepsAlive));
  fresh(1);
  await arrived;
});
