import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FetchDescription } from '#image/image.ts';
import { quotePath } from '#image/legacy/read-image.ts';
import { Reader, sampleTree as tree } from '../../support/image-reader.ts';
import { fetchFrom, imageBase, regularLine, sha256 } from '../../support/signed-image.ts';
import { makeChain } from '../../support/signing-chain.ts';

describe('readLegacyImage', () => {
  it('reads the whole description of an image', async (t) => {
    const reader = await Reader.create(t);
    const image = await reader.read(reader.image(tree));
    const { table } = image;
    const entries = Array.from({ length: table.entryCount }, (_, i) => table.path(i));
    assert.deepEqual(entries.slice(0, 5), ['/etc', '/tmp', "/home/it's", '/home', '/etc/link']);
    assert.equal(table.entryCount, 12);
    assert.equal(table.mode(1), 0o1777);
    assert.equal(table.uid(2), 1000);
    assert.equal(table.target(4), "../usr/it's");
    assert.equal(table.resource(table.find('/etc/hosts')), table.resource(table.find('/etc/copy')));
    assert.equal(table.group(table.find('/etc/hosts')), 0);
    assert.equal(table.group(table.find('/etc/one')), table.group(table.find('/etc/two')));
    assert.notEqual(table.group(table.find('/etc/one')), 0);
    assert.equal(table.resourceSize(table.resource(table.find('/etc/unknown'))), -1);
    assert.deepEqual(image.persistents, ['/etc/hosts', '/etc/netplan']);
    assert.equal(image.format, 'legacy');
  });

  it('locates plain files by their quoted path and compressed ones by their digest', async (t) => {
    const reader = await Reader.create(t);
    const image = await reader.read(reader.image(tree));
    const at = (path: string): [string, string] => {
      const { url, encoding } = image.locate(image.table.resource(image.table.find(path)));
      return [url.href.slice(imageBase.href.length), encoding];
    };
    assert.deepEqual(at('/etc/a b,+é'), ['/rootfs/etc/a%20b%2C%2B%C3%A9', 'identity']);
    assert.deepEqual(at('/etc/copy'), ['/rootfs/etc/hosts', 'identity']);
    assert.deepEqual(at('/etc/big'), [`/rootfs.zst/${sha256('big')}.zst`, 'zstd']);
  });

  it('uses the extension that each compressed file was given with', async (t) => {
    const reader = await Reader.create(t);
    const regulars = ['a', 'b', 'c'].map((x) => regularLine(`/${x}`, x, `,1,,${x === 'b' ? 'zstd' : 'zst'}`));
    const image = await reader.read(reader.image({ regulars }));
    const extensions = [0, 1, 2].map((resource) => image.locate(resource).url.href.replace(/.*\./, ''));
    assert.deepEqual(extensions, ['zst', 'zstd', 'zst']);
  });

  it('fetches files plain when the image names no directory of compressed ones', async (t) => {
    const reader = await Reader.create(t);
    const claims = (honest: readonly object[]): unknown =>
      honest.filter((claim) => !('compressed_rootfs_directory' in claim || 'total_regular_size' in claim));
    const image = await reader.read(reader.image({ ...tree, claims }));
    const big = image.locate(image.table.resource(image.table.find('/etc/big')));
    assert.deepEqual([big.url.pathname, big.encoding], ['/releases/1/rootfs/etc/big', 'identity']);
  });

  it('reads unpadded parts and r || s signatures too', async (t) => {
    const reader = await Reader.create(t);
    for (const encoding of ['padded', 'unpadded'] as const) {
      for (const signature of ['der', 'raw'] as const) {
        assert.ok(await reader.read(reader.image({ encoding, signature })));
      }
    }
  });

  it('takes a base URL with any number of slashes at its end, and drops its query', async (t) => {
    const reader = await Reader.create(t);
    for (const end of ['', '/', '//', '/?token=1#top']) {
      const image = await reader.read(reader.image(tree), undefined, new URL(imageBase.href + end));
      assert.equal(image.locate(0).url.href, `${imageBase.href}/rootfs/etc/hosts`);
    }
  });

  it('names an image by what was signed: another signature over it changes nothing', async (t) => {
    const reader = await Reader.create(t);
    const [one, two] = [reader.image(tree), reader.image(tree)];
    assert.notDeepEqual(one.get('metadata.jwt'), two.get('metadata.jwt'));
    assert.equal((await reader.read(one)).digest, (await reader.read(two)).digest);
    const other = reader.image({ ...tree, persistents: [] });
    assert.notEqual((await reader.read(other)).digest, (await reader.read(one)).digest);
  });

  it('asks for the certificate first, and for nothing else before the signature holds', async (t) => {
    const reader = await Reader.create(t);
    await reader.read(reader.image(tree));
    const files = ['dirs.txt', 'symlinks.txt', 'regulars.txt', 'persistents.txt'];
    assert.deepEqual(reader.asked, ['metadata.jwt', 'sign.pem', ...files]);
    reader.asked.length = 0;
    await reader.refuses(reader.image({ signer: makeChain().leaf }), 'certificate_not_trusted');
    assert.deepEqual(reader.asked, ['metadata.jwt', 'sign.pem']);
    reader.asked.length = 0;
    const claims = (): unknown => [{ certificate: '../../etc/passwd', hash: sha256('x') }];
    await reader.refuses(reader.image({ claims }), 'file_name_refused');
    assert.deepEqual(reader.asked, ['metadata.jwt']);
  });

  it('tells the fetcher every digest and cap', async (t) => {
    const reader = await Reader.create(t);
    const files = reader.image(tree);
    const inner = fetchFrom(files);
    const asked: [string, string | undefined][] = [];
    const fetch: FetchDescription = (file, signal) => {
      asked.push([file.url.pathname.replace(/.*\//, ''), file.sha256]);
      assert.ok(file.maxBytes > 0);
      return inner(file, signal);
    };
    await reader.read(files, fetch);
    assert.deepEqual(
      asked,
      [...asked].map(([name]) => [name, name === 'metadata.jwt' ? undefined : sha256(files.get(name) ?? '')]),
    );
  });
});

describe('quotePath', () => {
  it('encodes like the clients that images are made for', () => {
    assert.equal(quotePath("it's,+@:&=~"), 'it%27s%2C%2B%40%3A%26%3D~');
    assert.equal(quotePath('a/b-c_d.e!(f)*'), 'a/b-c_d.e%21%28f%29%2A');
    assert.equal(quotePath('ü %2F?#'), '%C3%BC%20%252F%3F%23');
  });
});
