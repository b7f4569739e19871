import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { readSignedLines } from '#image/legacy/signed-lines.ts';
import { sha256 } from '../../support/signed-image.ts';

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

interface Reading {
  readonly content: string | Uint8Array;
  readonly chunkBytes?: number;
  readonly signed?: string | Uint8Array;
  readonly maxBytes?: number;
  readonly onLine?: (line: string) => void;
}

async function read(reading: Reading): Promise<string[]> {
  const { content, chunkBytes = 5, signed = content, maxBytes = 1e9 } = reading;
  const lines: string[] = [];
  const onLine = reading.onLine ?? ((line): unknown => lines.push(line));
  const chunks = cut(Buffer.from(content as string), chunkBytes);
  const text = { name: 'dirs.txt', sha256: sha256(signed), maxBytes, chunks };
  await readSignedLines(text, onLine, new AbortController().signal);
  return lines;
}

async function refuses(reading: Reading, code: ImageErrorCode, message?: RegExp): Promise<void> {
  await assert.rejects(read(reading), (error) => {
    assert.ok(error instanceof ImageError, String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

describe('readSignedLines', () => {
  it('gives the same lines however the bytes are cut', async () => {
    const content = 'one\n日本語 😀\r\n\n  three  \nfour\n\nlast';
    for (let chunkBytes = 1; chunkBytes < 60; chunkBytes++) {
      assert.deepEqual(await read({ content, chunkBytes }), ['one', '日本語 😀', 'three', 'four', 'last']);
    }
    assert.deepEqual(await read({ content: `${content}\n` }), await read({ content }));
    assert.deepEqual(await read({ content: '' }), []);
    assert.deepEqual(await read({ content: '\n' }), []);
  });

  it('reads a large text that comes in one piece', async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i} é`);
    assert.deepEqual(await read({ content: lines.join('\n'), chunkBytes: 1e9 }), lines);
  });

  it('refuses bytes that are not the signed ones', async () => {
    await refuses({ content: 'a\nb', signed: 'a\nc' }, 'metadata_digest_mismatch', /dirs\.txt/);
    await refuses({ content: 'a\n', signed: 'a' }, 'metadata_digest_mismatch');
    await refuses({ content: '', signed: 'a' }, 'metadata_digest_mismatch');
  });

  it('says that bytes are not the signed ones, rather than that they are malformed', async () => {
    const onLine = (): void => {
      throw new ImageError('metadata_malformed', 'not a line');
    };
    await refuses({ content: 'a\nb', signed: 'x', onLine }, 'metadata_digest_mismatch');
    await refuses({ content: Buffer.from([0xff]), signed: 'x' }, 'metadata_digest_mismatch');
  });

  it('adds file and line to a refusal, and gives no more lines after it', async () => {
    const seen: string[] = [];
    const onLine = (line: string): void => {
      seen.push(line);
      if (line === 'bad') throw new ImageError('path_traversal', 'path has a ".." in it');
    };
    await refuses({ content: 'a\n\nb\nbad\nc\nd', onLine }, 'path_traversal', /^dirs\.txt:4: path has/);
    assert.deepEqual(seen, ['a', 'b', 'bad']);
  });

  it('refuses text that is not UTF-8, wherever the sequence is cut', async () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      const content = Buffer.concat([Buffer.from('fine\nbad '), Buffer.from(bytes), Buffer.from('\nfine')]);
      for (const chunkBytes of [1, 4, 100]) {
        await refuses({ content, chunkBytes }, 'metadata_malformed', /^dirs\.txt:2: text is not UTF-8/);
      }
    }
    await refuses({ content: Buffer.from([0x61, 0x0a, 0xe3, 0x81]) }, 'metadata_malformed', /:2:/);
  });

  it('refuses lines and texts that are too long', async () => {
    const longest = 'a'.repeat(40_000);
    assert.equal((await read({ content: `x\n${longest}\nx`, chunkBytes: 4096 })).length, 3);
    for (const chunkBytes of [4096, 1e9]) {
      await refuses({ content: `x\n${longest}b\nx`, chunkBytes }, 'metadata_too_large', /:2: line/);
      await refuses({ content: `x\n${longest}b`, chunkBytes }, 'metadata_too_large', /:2: line/);
    }
    assert.equal((await read({ content: 'a\nb', maxBytes: 3 })).length, 2);
    await refuses({ content: 'a\nbc', maxBytes: 3 }, 'metadata_too_large', /3 bytes/);
  });

  it('does not collect a line that never ends', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'a');
    const signed = sha256(Buffer.alloc(400 * chunk.length, 'a'));
    const before = process.memoryUsage().arrayBuffers;
    let held = 0;
    async function* oneLine(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 400; i++) yield chunk;
      held = process.memoryUsage().arrayBuffers - before;
    }
    const text = { name: 'x', sha256: signed, maxBytes: 1e9, chunks: oneLine() };
    await assert.rejects(
      readSignedLines(text, () => {}, new AbortController().signal),
      (error) => error instanceof ImageError && error.code === 'metadata_too_large',
    );
    assert.ok(held < 8 * 1024 * 1024, `${held} bytes of 26 million were held`);
  });

  it('stops an endless source at the cap, and closes it', async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.alloc(1000, 'a\n');
      } finally {
        closed = true;
      }
    }
    const text = { name: 'x', sha256: sha256(''), maxBytes: 10_000, chunks: endless() };
    await assert.rejects(
      readSignedLines(text, () => {}, new AbortController().signal),
      (error) => error instanceof ImageError && error.code === 'metadata_too_large',
    );
    assert.equal(closed, true);
  });

  it('lets others run while it parses a large text', async () => {
    const content = Buffer.alloc(8 * 1024 * 1024, `${'a'.repeat(99)}\n`);
    let turns = 0;
    const counter = setInterval(() => turns++, 1);
    await read({ content, chunkBytes: 1e9, onLine: (line) => JSON.stringify(line.split('')) });
    clearInterval(counter);
    assert.ok(turns > 5, `${turns} turns`);
  });

  it('ends with the reason when its signal is aborted', async () => {
    const controller = new AbortController();
    async function* stalled(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a\n');
      controller.abort(new Error('stopped by the user'));
      yield Buffer.from('b\n');
    }
    const text = { name: 'x', sha256: sha256('a\nb\n'), maxBytes: 100, chunks: stalled() };
    await assert.rejects(
      readSignedLines(text, () => {}, controller.signal),
      /stopped by the user/,
    );
  });
});
