import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { installed, makeChain, makeRoot } from '../../support/signing-chain.ts';

describe('loadTrustStore', () => {
  it('loads every certificate of *.pem and *.crt files, several in one file, each once', async (t) => {
    const directory = await scratchDirectory(t);
    const { root, intermediate } = makeChain();
    const other = makeRoot('other.example');
    const store = await installed(directory, {
      'dev.chain.pem': `Subject: someone\n${root.pem}\nmore prose\n${intermediate.pem}`,
      'prd.root.crt': other.pem,
      'copy.root.PEM': other.pem,
      'notes.txt': 'not looked at',
    });
    assert.deepEqual(
      store.certificates.map(({ certificate, selfSigned }) => [certificate.subject, selfSigned]),
      [
        ['CN=other.example', true],
        ['CN=root.example', true],
        ['CN=intermediate.example', false],
      ],
    );
    assert.deepEqual(store.problems, []);
  });

  it('keeps certificates with equal subjects and different keys', async (t) => {
    const directory = await scratchDirectory(t);
    const store = await installed(directory, {
      'dev.root.pem': makeRoot('root.example').pem,
      'prd.root.pem': makeRoot('root.example').pem,
    });
    assert.equal(store.certificates.length, 2);
  });

  it('reports files that hold no certificate, and goes on', async (t) => {
    const directory = await scratchDirectory(t);
    const { root } = makeChain();
    const key = root.key.privateKey.export({ type: 'pkcs8', format: 'pem' });
    await mkdir(join(directory, 'folder.pem'));
    await writeFile(join(directory, 'huge.pem'), Buffer.alloc(2 * 1024 * 1024));
    const store = await installed(directory, {
      'a.broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'b.key.pem': key,
      'c.empty.pem': '',
      'z.root.pem': root.pem,
    });
    assert.equal(store.certificates.length, 1);
    assert.deepEqual(
      store.problems.map(({ file }) => file.slice(directory.length + 1)),
      ['a.broken.pem', 'b.key.pem', 'c.empty.pem', 'folder.pem', 'huge.pem'],
    );
  });

  it('is empty, with a problem, when the directory is missing', async (t) => {
    const directory = join(await scratchDirectory(t), 'missing');
    const store = await loadTrustStore(directory);
    assert.deepEqual(store.certificates, []);
    assert.equal(store.problems[0]?.file, directory);
  });
});
