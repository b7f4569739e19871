import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { listExtendedAttributes } from '#host/extended-attributes.ts';
import { programsOnPath } from '../support/programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;
const hasTools =
  spawnSync('getfattr', ['--version']).status === 0 && spawnSync('setfattr', ['--version']).status === 0;

describe('listExtendedAttributes', () => {
  it('lists the names by path, whatever bytes are in either', async (t) => {
    await programsOnPath(t, {
      getfattr: String.raw`printf '%s\n' '# file: /r/plain' user.a security.capability '' '# file: /r/n\012\134\303\251' 'user.\075' ''`,
    });
    const found = await listExtendedAttributes('/r', never);
    assert.deepEqual(
      [...(found?.byPath ?? [])],
      [
        ['/r/plain', ['user.a', 'security.capability']],
        ['/r/n\n\\\u00c3\u00a9', ['user.=']],
      ],
    );
    assert.equal(found?.incomplete, undefined);
  });

  it('agrees with the real tool', {
    skip: !hasTools && 'getfattr and setfattr (Debian package attr) are not here',
  }, async (t) => {
    const root = await scratchDirectory(t);
    const path = join(root, 'a dir', "it's=é\n");
    mkdirSync(join(root, 'a dir'));
    writeFileSync(path, '');
    writeFileSync(join(root, 'none'), '');
    if (spawnSync('setfattr', ['-n', 'user.note', '-v', '1', path]).status !== 0) {
      t.skip('the file system of the temporary directory has no extended attributes');
      return;
    }
    const found = await listExtendedAttributes(root, never);
    const names = found?.byPath.get(Buffer.from(path).toString('latin1')) ?? [];
    assert.ok(names.includes('user.note'), names.join());
  });

  it('passes on what the tool complains about', async (t) => {
    await programsOnPath(t, { getfattr: 'echo "getfattr: /r/x: Permission denied" >&2; exit 1' });
    assert.equal(
      (await listExtendedAttributes('/r', never))?.incomplete,
      'getfattr: /r/x: Permission denied',
    );
  });

  it('answers undefined where the tool is missing', async (t) => {
    const before = process.env['PATH'];
    t.after(() => {
      process.env['PATH'] = before;
    });
    process.env['PATH'] = await scratchDirectory(t);
    assert.equal(await listExtendedAttributes('/r', never), undefined);
  });

  it('ends the tool when the signal fires', async (t) => {
    await programsOnPath(t, { getfattr: 'exec sleep 60' });
    const controller = new AbortController();
    const listing = listExtendedAttributes('/r', controller.signal);
    setImmediate(() => controller.abort());
    await assert.rejects(listing, { name: 'AbortError' });
  });
});
