import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptySha256, type Sha256 } from '#domain/digest.ts';
import type { FileTable } from '#image/file-table.ts';
import { FileTableBuilder, imageLimits, type RegularEntry } from '#image/file-table-builder.ts';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { sha256 } from '../support/signed-image.ts';

function regular(path: string, content: string, more: Partial<RegularEntry> = {}): RegularEntry {
  const sum = sha256(content);
  const size = Buffer.byteLength(content);
  return {
    path,
    mode: 0o644,
    uid: 0,
    gid: 0,
    sha256: sum,
    size,
    inode: undefined,
    compressed: false,
    ...more,
  };
}

function build(fill: (builder: FileTableBuilder) => void): FileTable {
  const builder = new FileTableBuilder();
  fill(builder);
  return builder.finish();
}

function refuses(code: ImageErrorCode, fill: (builder: FileTableBuilder) => void): void {
  assert.throws(
    () => build(fill),
    (error) => {
      assert.ok(error instanceof ImageError, String(error));
      assert.equal(error.code, code, error.message);
      return true;
    },
  );
}

function groups(table: FileTable): number[] {
  return Array.from({ length: table.entryCount }, (_, entry) => table.group(entry));
}

describe('FileTableBuilder', () => {
  it('keeps equal content once, with the first entry that has it', () => {
    const table = build((b) => {
      b.addDirectory('/a', 0o755, 0, 0);
      for (const [path, content] of [
        ['/x', 'same'],
        ['/y', 'other'],
        ['/a/z', 'same'],
      ] as const) {
        b.addRegular(regular(path, content));
      }
    });
    assert.equal(table.resourceCount, 2);
    assert.equal(table.resource(1), table.resource(3));
    assert.equal(table.path(table.resourceEntry(table.resource(3))), '/x');
    assert.equal(table.path(table.resourceEntry(table.resource(2))), '/y');
  });

  it('groups hard links, and leaves equal content without inode apart', () => {
    const linked = { inode: '7' };
    const table = build((b) => {
      b.addRegular(regular('/a', 'x', linked));
      b.addRegular(regular('/b', 'x', linked));
      b.addRegular(regular('/c', 'x'));
      b.addRegular(regular('/d', 'x', { inode: '8' }));
      b.addRegular(regular('/e', 'x', { inode: '8' }));
      b.addRegular(regular('/alone', 'x', { inode: '9' }));
    });
    assert.deepEqual(groups(table), [1, 1, 0, 2, 2, 0], 'a group of one is no group');
  });

  it('keeps files apart that have one inode number but differ: they come from two file systems', () => {
    const linked = { inode: '7' };
    const table = build((b) => {
      b.addRegular(regular('/a', 'x', linked));
      b.addRegular(regular('/b', 'y', linked));
      b.addRegular(regular('/c', 'y', { ...linked, mode: 0o755 }));
      b.addRegular(regular('/d', 'x', linked));
    });
    assert.deepEqual(groups(table).map(Boolean), [true, false, false, true]);
  });

  it('takes sizes and compression from whichever entry of a content tells them', () => {
    const table = build((b) => {
      b.addRegular(regular('/a', 'x', { size: undefined }));
      b.addRegular(regular('/b', 'x', { compressed: true }));
      b.addRegular(regular('/c', 'x', { size: undefined }));
      b.addRegular(regular('/unknown', 'y', { size: undefined }));
      b.addRegular(regular('/empty', '', { size: undefined }));
    });
    assert.deepEqual(
      [0, 1, 2].map((r) => table.resourceSize(r)),
      [1, -1, 0],
    );
    assert.deepEqual(
      [0, 1, 2].map((r) => table.isCompressed(r)),
      [true, false, false],
    );
  });

  it('refuses sizes that contradict the digest', () => {
    refuses('metadata_malformed', (b) => {
      b.addRegular(regular('/a', 'x', { size: 1 }));
      b.addRegular(regular('/b', 'x', { size: 2 }));
    });
    refuses('metadata_malformed', (b) => b.addRegular(regular('/a', 'x', { size: 0 })));
    refuses('metadata_malformed', (b) => b.addRegular(regular('/a', '', { sha256: emptySha256, size: 1 })));
  });

  it('refuses a path twice, of whatever kinds', () => {
    const kinds = [
      (b: FileTableBuilder) => b.addDirectory('/a/b', 0o755, 0, 0),
      (b: FileTableBuilder) => b.addSymlink('/a/b', 'x', 0, 0),
      (b: FileTableBuilder) => b.addRegular(regular('/a/b', 'x')),
    ];
    for (const first of kinds) {
      for (const second of kinds) {
        refuses('path_duplicated', (b) => {
          first(b);
          second(b);
        });
      }
    }
  });

  it('finds a path twice among many', () => {
    refuses('path_duplicated', (b) => {
      for (let i = 0; i < 20_000; i++) b.addDirectory(`/d${i}`, 0o755, 0, 0);
      b.addSymlink('/d7', 'x', 0, 0);
    });
  });

  it('refuses entries below files and symlinks, near and far, in whatever order they come', () => {
    refuses('path_below_non_directory', (b) => {
      b.addSymlink('/l', '/etc', 0, 0);
      b.addRegular(regular('/l/passwd', 'x'));
    });
    refuses('path_below_non_directory', (b) => {
      b.addDirectory('/l/deep/down', 0o755, 0, 0);
      b.addSymlink('/l', '/etc', 0, 0);
    });
    refuses('path_below_non_directory', (b) => {
      b.addRegular(regular('/f/g', 'x'));
      b.addRegular(regular('/f', 'x'));
    });
    refuses('path_below_non_directory', (b) => {
      b.addDirectory('/d', 0o755, 0, 0);
      b.addSymlink('/d/l', '/etc', 0, 0);
      b.addRegular(regular('/d/l/m/n/o', 'x'));
    });
  });

  it('accepts directories after their children, and directories that are not named', () => {
    const table = build((b) => {
      b.addDirectory('/a/b/c', 0o755, 0, 0);
      b.addDirectory('/a', 0o755, 0, 0);
      b.addSymlink('/ab', '/a', 0, 0);
      b.addRegular(regular('/a/b/c/d', 'x'));
      b.addRegular(regular('/not/named/file', 'x'));
    });
    assert.equal(table.entryCount, 5);
  });

  it('refuses targets that no symlink can have', () => {
    for (const target of ['', 'a\0b', 'x'.repeat(4096), 'é'.repeat(2048), '\ud800']) {
      refuses('path_refused', (b) => b.addSymlink('/l', target, 0, 0));
    }
    const longest = 'é'.repeat(2047);
    assert.equal(build((b) => b.addSymlink('/l', longest, 0, 0)).target(0), longest);
  });

  it('refuses paths that are not plain, and half surrogates', () => {
    refuses('path_not_absolute', (b) => b.addDirectory('a', 0o755, 0, 0));
    refuses('path_traversal', (b) => b.addSymlink('/a/../b', 'x', 0, 0));
    refuses('path_refused', (b) => b.addRegular(regular('/a\ud800', 'x')));
    refuses('path_refused', (b) => b.addRegular(regular(`/${'x'.repeat(100_000)}`, 'x')));
  });

  it('builds an empty table', () => {
    const table = build(() => {});
    assert.deepEqual([table.entryCount, table.resourceCount, table.find('/')], [0, 0, -1]);
  });

  it('holds 300,000 files in little time and memory, without blocking long at the end', () => {
    const count = 300_000;
    const padding = '0'.repeat(56);
    const builder = new FileTableBuilder();
    const before = process.memoryUsage().rss;
    const started = performance.now();
    for (let d = 0; d < 1000; d++) builder.addDirectory(`/usr/share/package-${d}`, 0o755, 0, 0);
    for (let i = 0; i < count; i++) {
      const hex = `${(Math.imul(i, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')}${padding}` as Sha256;
      const path = `/usr/share/package-${i % 1000}/some-module-${i}.txt`;
      builder.addRegular({ ...regular(path, ''), sha256: hex, size: i + 1 });
    }
    const added = performance.now();
    const table = builder.finish();
    const finished = performance.now();
    assert.equal(table.entryCount, count + 1000);
    assert.equal(table.find('/usr/share/package-999/some-module-299999.txt'), count + 999);
    // These bounds catch a quadratic search and a second pass over everything, not a slow machine.
    assert.ok(added - started < 60_000, `took ${added - started} ms to add`);
    assert.ok(finished - added < (added - started) / 4, `took ${finished - added} ms to finish`);
    const bytesPerEntry = (process.memoryUsage().rss - before) / count;
    assert.ok(bytesPerEntry < 600, `${bytesPerEntry} bytes an entry`);
  });

  it('caps what an image may hold', () => {
    assert.ok(imageLimits.entries >= 1_000_000);
    assert.ok(imageLimits.textBytes <= 2 ** 30, 'offsets of text have 32 bits');
  });
});
