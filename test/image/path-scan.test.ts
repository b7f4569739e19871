import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { hashBytes } from '#image/path-index.ts';
import { checkPath, PathScan } from '#image/path-scan.ts';

function refuses(path: string, code: ImageErrorCode): void {
  assert.throws(
    () => checkPath(path),
    (error) => error instanceof ImageError && error.code === code,
    JSON.stringify(path.slice(0, 40)),
  );
}

describe('checkPath', () => {
  it('accepts every absolute normal path that Linux can name', () => {
    for (const path of ['/a', '/...', '/..a', '/.a/b.', '/a b', '/-', '/é/日本語', "/'\\\n\t\u007f"])
      checkPath(path);
    checkPath(`/${'n'.repeat(255)}`);
    checkPath(`/${'é'.repeat(127)}`);
    checkPath('/n'.repeat(256));
    checkPath(`/${'n'.repeat(254)}`.repeat(16));
  });

  it('refuses what is relative, climbs, or is not normal', () => {
    for (const path of ['', 'a', 'a/b', './a', '../a']) refuses(path, 'path_not_absolute');
    for (const path of ['/..', '/../a', '/a/..', '/a/../b']) refuses(path, 'path_traversal');
    for (const path of ['/', '//', '//a', '/a/', '/a//b', '/.', '/./a', '/a/.'])
      refuses(path, 'path_refused');
  });

  it('refuses what Linux cannot name', () => {
    for (const path of ['/\0', '/a\0b', `/${'n'.repeat(256)}`, `/${'é'.repeat(128)}/a`, '/\ud800']) {
      refuses(path, 'path_refused');
    }
    refuses('/n'.repeat(257), 'path_refused');
    refuses(`/${'n'.repeat(255)}`.repeat(16), 'path_refused');
  });
});

describe('PathScan', () => {
  it('hashes a path and its parent, wherever the bytes lie', () => {
    const scan = new PathScan();
    for (const [path, parent] of [
      ['/usr/lib/x', '/usr/lib'],
      ['/usr', ''],
    ] as const) {
      const bytes = Buffer.from(`...${path}/more`);
      scan.scan(path, bytes, 3, 3 + path.length);
      assert.equal(scan.hash, hashBytes(Buffer.from(path), 0, path.length));
      assert.equal(scan.parentLength, parent.length);
      assert.equal(scan.parentHash, hashBytes(Buffer.from(parent), 0, parent.length));
    }
  });
});
