import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { everyCommand } from '#cli/catalogue.ts';
import { exitMeanings } from '#cli/exit-codes.ts';
import { writeShare } from '../../scripts/package/share.ts';
import { missingPrograms } from '../support/missing-programs.ts';
import { projectRoot } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const date = new Date('2026-01-15T12:00:00Z');

test('the package gets the manual and a completion script for each shell, in their places', async (t) => {
  const share = await writeShare(projectRoot, join(await scratchDirectory(t), 'share'), date);
  const found = await readdir(share, { recursive: true, withFileTypes: true });
  const files = found.filter((item) => item.isFile()).map((item) => join(item.parentPath, item.name));
  assert.deepEqual(files.map((file) => file.slice(share.length + 1)).toSorted(), [
    'bash-completion/completions/ota',
    'fish/vendor_completions.d/ota.fish',
    'man/man1/ota.1',
    'zsh/vendor-completions/_ota',
  ]);
  assert.match(await readFile(join(share, 'zsh/vendor-completions/_ota'), 'utf8'), /^#compdef ota\n/);
});

test('the manual renders without a warning, and has every command, option, example and exit code', {
  skip: missingPrograms('man', 'groff'),
}, async (t) => {
  const share = await writeShare(projectRoot, join(await scratchDirectory(t), 'share'), date);
  const page = join(share, 'man/man1/ota.1');
  const read = (program: string, args: readonly string[]): string => {
    const env = { PATH: process.env['PATH'], LANG: 'C.UTF-8', MANWIDTH: '400', MAN_KEEP_FORMATTING: '' };
    const { status, stdout, stderr } = spawnSync(program, [...args, page], { env, encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, ''], program);
    return stdout;
  };
  read('groff', ['-man', '-Tutf8', '-ww', '-z']);
  // oxlint-disable-next-line no-control-regex -- pagers are given bold letters as letter, backspace, letter
  const text = read('man', ['--warnings', '-P', 'cat', '-l']).replaceAll(/.\x08/gu, '');
  assert.match(text, /^OTA\(1\) .* OTA\(1\)$/m);
  assert.match(text, /^ota 0\.\d+\.\d+ +2026-01-15 +OTA\(1\)$/m);
  const words = text.replaceAll(/\s+/g, ' ');
  for (const { name, usage, options } of await everyCommand()) {
    assert.match(text, new RegExp(`^ {3}ota ${name}$`, 'm'));
    for (const option of Object.keys(options))
      assert.ok(words.includes(`--${option}`), `${name} --${option}`);
    const examples =
      usage
        .split(/\nExamples?:\n/)[1]
        ?.trimEnd()
        .split('\n') ?? [];
    for (const example of examples)
      assert.ok(words.includes(example.trim().replaceAll(/\s+/g, ' ')), example);
  }
  for (const [code, meaning] of exitMeanings) {
    assert.ok(words.includes(`${code} ${meaning.replaceAll('`', '')}`), meaning);
  }
});
