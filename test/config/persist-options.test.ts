import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from '#config/options.ts';

const parse = (list: string) => parseOptions(`persist: {back_on_rollback: ${list}}`, 'ota.yml', {});

test('files that go back with a rollback are a list of paths, none by default', () => {
  assert.deepEqual(parseOptions(undefined, '', {}).options.persist.backOnRollback, []);
  const { options, problem } = parse('[/var/lib/map, "/etc/a file", /..data/x]');
  assert.equal(problem, undefined);
  assert.deepEqual(options.persist.backOnRollback, ['/var/lib/map', '/etc/a file', '/..data/x']);
});

test('a path that is not one place in a slot, or is what boots it, is refused', () => {
  for (const path of [
    '/',
    'etc/x',
    '/etc/',
    '/etc//x',
    '/etc/../x',
    '/./x',
    '/etc/..',
    '/boot',
    '/boot/ota',
    '/etc/net/*',
  ]) {
    assert.match(
      parse(`[${path}]`).problem?.message ?? '',
      /persist\.back_on_rollback.*write a list of absolute paths below \//,
      path,
    );
  }
});
