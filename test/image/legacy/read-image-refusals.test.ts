import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Reader, sampleTree as tree } from '../../support/image-reader.ts';
import { type ImageFiles, type ImageSpec, quoted, regularLine, sha256 } from '../../support/signed-image.ts';
import { issue, makeChain, makeRoot } from '../../support/signing-chain.ts';

describe('readLegacyImage refuses', () => {
  it('other algorithms, even with a good signature', async (t) => {
    const reader = await Reader.create(t);
    for (const alg of ['none', 'HS256']) {
      await reader.refuses(reader.image({ header: { alg } }), 'jwt_algorithm_refused');
    }
  });

  it('a signature by another key than the certificate holds', async (t) => {
    const reader = await Reader.create(t);
    const key = makeRoot('other').key.privateKey;
    await reader.refuses(reader.image({ key }), 'jwt_signature_invalid');
  });

  it('a payload that was exchanged under a good signature', async (t) => {
    const reader = await Reader.create(t);
    const [header, , signature] = text(reader.image(tree), 'metadata.jwt').split('.');
    const files = reader.image({ ...tree, regulars: [] });
    const [, payload] = text(files, 'metadata.jwt').split('.');
    files.set('metadata.jwt', Buffer.from(`${header}.${payload}.${signature}`));
    await reader.refuses(files, 'jwt_signature_invalid');
  });

  it('certificates that are self-made, foreign, expired, not yet valid, or with another kind of key', async (t) => {
    const reader = await Reader.create(t);
    const { intermediate } = reader.chain;
    const signs = (signer: ImageSpec['signer']): ImageFiles => reader.image({ signer });
    await reader.refuses(signs(makeRoot('sign.example')), 'certificate_not_trusted');
    await reader.refuses(signs(makeChain().leaf), 'certificate_not_trusted');
    const expired = { notAfter: new Date('2026-06-01T11:00:00Z') };
    await reader.refuses(signs(issue(intermediate, 'sign', expired)), 'certificate_expired');
    const early = { notBefore: new Date('2026-06-01T13:00:00Z') };
    await reader.refuses(signs(issue(intermediate, 'sign', early)), 'certificate_not_yet_valid');
    await reader.refuses(
      signs(issue(intermediate, 'sign', { keyUsage: ['keyEncipherment'] })),
      'certificate_key_refused',
    );
  });

  it('a certificate that is another one than the claims say, or none at all', async (t) => {
    const reader = await Reader.create(t);
    const files = reader.image(tree);
    files.set('sign.pem', Buffer.from(makeRoot('x').pem));
    await reader.refuses(files, 'certificate_digest_mismatch');
    await reader.refuses(
      reader.image({ signer: { ...reader.chain.leaf, pem: 'no certificate' } }),
      'certificate_malformed',
    );
  });

  it('names of files and directories that are not plain, in claims that are really signed', async (t) => {
    const reader = await Reader.create(t);
    const hash = sha256('');
    for (const hostile of [
      { directory: '../dirs.txt', hash },
      { symboliclink: '/symlinks.txt', hash },
      { regular: 'http://evil.example/regulars.txt', hash },
      { persistent: 'a/persistents.txt', hash },
      { rootfs_directory: '../../other' },
      { compressed_rootfs_directory: 'https://evil.example/' },
    ]) {
      const key = Object.keys(hostile)[0] ?? '';
      const claims = (honest: readonly object[]): unknown => [...honest.filter((x) => !(key in x)), hostile];
      await reader.refuses(reader.image({ claims }), 'file_name_refused', new RegExp(`"${key}"`));
    }
  });

  it('another version and incomplete claims', async (t) => {
    const reader = await Reader.create(t);
    const version = (honest: readonly object[]): unknown => [{ version: 2 }, ...honest.slice(1)];
    await reader.refuses(reader.image({ claims: version }), 'version_unsupported');
    await reader.refuses(reader.image({ claims: (honest) => honest.slice(1) }), 'claims_invalid');
    const noTree = (honest: readonly object[]): unknown => honest.filter((x) => !('regular' in x));
    await reader.refuses(reader.image({ claims: noTree }), 'claims_invalid');
  });

  it('each metadata file that was changed, cut off or exchanged', async (t) => {
    const reader = await Reader.create(t);
    for (const name of ['dirs.txt', 'symlinks.txt', 'regulars.txt', 'persistents.txt']) {
      for (const change of [
        (content: string) => content.replace(/'$/, '') + (content.endsWith("'") ? "x'" : 'x'),
        (content: string) => content.slice(0, -1),
        (content: string) => `${content}\n`,
        () => '',
      ]) {
        const files = reader.image(tree);
        files.set(name, Buffer.from(change(text(files, name))));
        await reader.refuses(files, 'metadata_digest_mismatch', new RegExp(name));
      }
    }
  });

  it('paths that are relative, climb, or are not normal', async (t) => {
    const reader = await Reader.create(t);
    for (const [path, code] of [
      ['etc/hosts', 'path_not_absolute'],
      ['', 'path_not_absolute'],
      ['/etc/../../root', 'path_traversal'],
      ['/..', 'path_traversal'],
      ['/a/./b', 'path_refused'],
      ['/a//b', 'path_refused'],
      ['/', 'path_refused'],
      ['/a/', 'path_refused'],
      ['/a\0b', 'path_refused'],
      [`/${'n'.repeat(256)}`, 'path_refused'],
      [`/n${'/n'.repeat(256)}`, 'path_refused'],
    ] as const) {
      await reader.refuses(
        reader.image({ directories: [`0755,0,0,${quoted(path)}`] }),
        code,
        /^dirs.txt:1: /,
      );
      if (path === '') continue; // is no line of a symlink or regular file
      const line = regularLine(path, 'x');
      await reader.refuses(reader.image({ regulars: [line] }), code, /^regulars.txt:1: /);
      const link = `0777,0,0,${quoted(path)},'target'`;
      await reader.refuses(reader.image({ symlinks: [link] }), code, /^symlinks.txt:1: /);
      if (path === '/a/') continue; // tolerated in a list that people write
      await reader.refuses(reader.image({ persistents: [quoted(path)] }), code, /^persistents.txt:1: /);
    }
  });

  it('a path twice, in one file or in two', async (t) => {
    const reader = await Reader.create(t);
    const directories = ["0755,0,0,'/a'", "0755,0,0,'/b'", "0700,0,0,'/a'"];
    await reader.refuses(reader.image({ directories }), 'path_duplicated', /^dirs.txt:3: /);
    const regulars = [regularLine('/b/x', '1'), regularLine('/a', 'x')];
    await reader.refuses(
      reader.image({ directories: directories.slice(0, 1), regulars }),
      'path_duplicated',
      /^regulars.txt:2: /,
    );
    await reader.refuses(reader.image({ symlinks: ["0777,0,0,'/a','/etc'"], regulars }), 'path_duplicated');
  });

  it('anything below a symlink or a file, whatever the order', async (t) => {
    const reader = await Reader.create(t);
    const link = ["0777,0,0,'/lib','/etc'"];
    const code = 'path_below_non_directory';
    await reader.refuses(reader.image({ symlinks: link, regulars: [regularLine('/lib/x', '1')] }), code);
    await reader.refuses(
      reader.image({ symlinks: link, regulars: [regularLine('/lib/deep/er', '1')] }),
      code,
    );
    await reader.refuses(reader.image({ symlinks: link, directories: ["0755,0,0,'/lib/x'"] }), code);
    const below = [regularLine('/f/x/y', '1'), regularLine('/f', '2')];
    await reader.refuses(reader.image({ regulars: below }), code, /"\/f\/x\/y" lies below "\/f"/);
    await reader.refuses(reader.image({ regulars: below.toReversed() }), code);
  });

  it('lines that are malformed, with their number', async (t) => {
    const reader = await Reader.create(t);
    const regulars = [...tree.regulars, '0644,0,0,1,what'];
    await reader.refuses(reader.image({ ...tree, regulars }), 'metadata_malformed', /^regulars.txt:8: /);
    const twoSizes = [regularLine('/a', 'x', ',1,,'), regularLine('/b', 'x', ',2,,')];
    await reader.refuses(
      reader.image({ regulars: twoSizes }),
      'metadata_malformed',
      /^regulars.txt:2: .*two/,
    );
    await reader.refuses(reader.image({ directories: ["0755,0,0,'/a\nb'"] }), 'metadata_malformed');
  });

  it('files that are larger than their cap', async (t) => {
    const reader = await Reader.create(t);
    const files = reader.image(tree);
    files.set('metadata.jwt', Buffer.alloc(256 * 1024 + 1, 'A'));
    await reader.refuses(files, 'metadata_too_large', /metadata.jwt/);
    const pem = reader.chain.leaf.pem + '\n'.repeat(64 * 1024);
    await reader.refuses(
      reader.image({ signer: { ...reader.chain.leaf, pem } }),
      'metadata_too_large',
      /sign.pem/,
    );
  });

  it('more persistents than people write', async (t) => {
    const reader = await Reader.create(t);
    const persistents = Array.from({ length: 10_001 }, (_, i) => `'/p${i}'`);
    await reader.refuses(reader.image({ persistents }), 'too_many_entries', /^persistents.txt:10001: /);
  });

  it('with the error of the fetcher, when that cannot fetch a file', async (t) => {
    const reader = await Reader.create(t);
    const files = reader.image(tree);
    files.delete('symlinks.txt');
    await assert.rejects(reader.read(files), /image has no file symlinks.txt/);
  });
});

function text(files: ImageFiles, name: string): string {
  return Buffer.from(files.get(name) ?? []).toString();
}
