import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findEntry, hashBytes, insertEntry, makeSlots } from '#image/path-index.ts';

describe('path index', () => {
  it('finds each of many keys, even when all have one hash', () => {
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
    for (const hashOf of [
      (key: string) => hashBytes(Buffer.from(key), 0, key.length),
      () => 5,
      () => 0xffffffff,
    ]) {
      const slots = makeSlots(keys.length);
      for (const [entry, key] of keys.entries()) {
        assert.equal(
          insertEntry(slots, hashOf(key), entry, (other) => keys[other] === key),
          true,
        );
      }
      for (const [entry, key] of keys.entries()) {
        assert.equal(
          findEntry(slots, hashOf(key), (other) => keys[other] === key),
          entry,
        );
        assert.equal(
          insertEntry(slots, hashOf(key), 999, (other) => keys[other] === key),
          false,
        );
      }
      assert.equal(
        findEntry(slots, hashOf('no'), () => false),
        -1,
      );
    }
  });

  it('hashes as FNV-1a does', () => {
    const hash = (text: string): number => hashBytes(Buffer.from(`-${text}`), 1, text.length + 1);
    assert.equal(hash(''), 0x811c9dc5);
    assert.equal(hash('a'), 0xe40c292c);
    assert.equal(hash('foobar'), 0xbf9cf968);
  });
});
