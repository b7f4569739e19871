import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { ensureDashboard, pageBudgetBytes, wireBytes } from '../../scripts/dashboard/build.ts';

const root = join(import.meta.dirname, '../..');

describe('the built page', () => {
  it('is at most 150 kB compressed, all of it, and loads nothing from elsewhere', async () => {
    const files = await ensureDashboard(root);
    const { brotli, gzip } = wireBytes(files);
    assert.equal(pageBudgetBytes, 150_000);
    assert.ok(brotli > 10_000 && brotli <= pageBudgetBytes, `${brotli} bytes with brotli`);
    assert.ok(gzip > 10_000 && gzip <= pageBudgetBytes, `${gzip} bytes with gzip`);
    for (const { name } of files) {
      const path = join(root, 'dist/dashboard', name);
      const content = await readFile(path);
      assert.deepEqual(brotliDecompressSync(await readFile(`${path}.br`)), content);
      assert.deepEqual(gunzipSync(await readFile(`${path}.gz`)), content);
      if (/\.(?:html|css)$/.test(name)) {
        assert.doesNotMatch(content.toString(), /(?:src|href)=["']?https?:|url\(["']?https?:|@import/);
        assert.doesNotMatch(content.toString(), /<style|<script(?![^>]*\bsrc=)|\bon\w+=|style="/);
      }
    }
  });
});
