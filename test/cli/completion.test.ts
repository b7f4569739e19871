import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { everyCommand } from '#cli/catalogue.ts';
import { completionTable } from '#cli/completion/completion-table.ts';
import { missingPrograms } from '../support/missing-programs.ts';
import { projectRoot, runOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const ecuInfo = `ecu_id: main
bootloader: directory
ip_addr: 127.0.0.1
available_ecu_ids: [main, camera, "\\"$(touch evil)"]
secondaries: [{ ecu_id: camera, ip_addr: 10.0.0.2 }]
`;

/** A directory with `ota` in `bin`, the script of a shell, an ECU's file, and files to be completed. */
async function place(t: TestContext, shell: string): Promise<string> {
  const directory = await scratchDirectory(t);
  const { code, stdout, stderr } = await runOta(t, ['completion', shell]);
  assert.equal(code, 0, stderr);
  await mkdir(join(directory, 'bin'));
  await writeFile(join(directory, shell === 'zsh' ? '_ota' : 'script'), stdout);
  await writeFile(join(directory, 'bin/ota'), `#!/bin/sh\nexec '${projectRoot}/scripts/ota' "$@"\n`, {
    mode: 0o755,
  });
  await writeFile(join(directory, 'ecu_info.yml'), ecuInfo);
  await writeFile(join(directory, 'request one.yaml'), '');
  await mkdir(join(directory, 'requests'));
  return directory;
}

function run(directory: string, program: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync(program, [...args], {
    cwd: directory,
    env: { PATH: `${directory}/bin:${process.env['PATH']}`, HOME: directory, LANG: 'C.UTF-8', TERM: 'dumb' },
    encoding: 'utf8',
    timeout: 120_000,
    ...(input === undefined ? {} : { input }),
  });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  return stdout;
}

/** What each line ends in when it is completed: sorted words. */
const cases: readonly (readonly [line: readonly string[], words: readonly string[]])[] = [
  [['st'], ['status']],
  [['image', 'ver'], ['verify']],
  [['status', '--w'], ['--watch']],
  [
    ['events', '--kind', 'd'],
    ['daemon', 'denied'],
  ],
  [
    ['update', '--ecu', ''],
    ['camera', 'main'],
  ],
  [['abort', '--ecu', 'main', '--ecu', 'c'], ['camera']],
  [['quarantine', 'cl'], ['clear']],
  [['completion', 'z'], ['zsh']],
  [['image', 'build', '--drop', 'time'], []],
  [
    ['update', '--request', 'request'],
    ['request one.yaml', 'requests'],
  ],
  [['image', 'verify', '--trust', 'req'], ['requests']],
  [['campaign', 'check', 'request o'], ['request one.yaml']],
];

test('every option of every command is known with what it takes and what it is for', async () => {
  const table = completionTable(await everyCommand());
  for (const { words, options } of table) {
    for (const { name, about, value } of options) {
      assert.notEqual(about, '', `${words.join(' ')} --${name} has no line in the help`);
      if (name.endsWith('-file') || name === 'options') assert.equal(value?.kind, 'file', name);
    }
  }
  const options = table.find(({ words }) => words[0] === 'update')?.options ?? [];
  assert.equal(options.find(({ name }) => name === 'ecu')?.value?.kind, 'ecu');
  assert.equal(options.find(({ name }) => name === 'wait')?.value, undefined);
});

test('bash completes', { skip: missingPrograms('bash') }, async (t) => {
  const directory = await place(t, 'bash');
  const complete = (line: readonly string[]): string[] => {
    const words = ['ota', ...line].map((word) => `'${word}'`).join(' ');
    const text = `source ./script; COMP_WORDS=(${words}); COMP_CWORD=${line.length}; _ota; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run(directory, 'bash', ['--norc', '-c', text])
      .split('\n')
      .filter((word) => word !== '')
      .toSorted();
  };
  for (const [line, words] of cases) assert.deepEqual(complete(line), words, line.join(' '));
  assert.deepEqual(complete(['events', '--kind', '=', 'dae']), ['daemon'], 'with an equals sign');
  assert.ok(complete(['']).includes('image') && complete(['image', '']).includes('build'));
  assert.ok(complete(['update', '-']).includes('--request'));
});

test('fish completes', { skip: missingPrograms('fish') }, async (t) => {
  const directory = await place(t, 'fish');
  for (const [line, words] of cases) {
    const text = ['ota', ...line].map((word) => word.replaceAll(' ', '\\ ')).join(' ');
    const lines = run(directory, 'fish', [
      '--no-config',
      '-c',
      `source ./script; complete -C '${text.replaceAll('\\', '\\\\')}'`,
    ]);
    const found = lines
      .split('\n')
      .map((one) => (one.split('\t')[0] ?? '').replace(/\/$/, '').replaceAll('\\ ', ' '));
    assert.deepEqual(found.filter((word) => word !== '').toSorted(), words, line.join(' '));
  }
});

// Completion of zsh exists on a terminal only: zpty gives it one, and compadd is asked to tell what it would add.
const zshDriver = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1= PS2= ; setopt zle; stty -echo; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D'
zpty -w z 'zstyle ":completion:*" list-packed no'
zpty -w z 'compadd() { local -a out; builtin compadd -O out "$@"; print -rl -- "WORD="$^out; builtin compadd "$@"; }'
zpty -w z 'bindkey "^I" complete-word; print REA""DY'
zpty -r -m z seen '*READY*'
zpty -w -n z "$LINE"$'\\t'
# Only then is the line editor surely there: before, the terminal itself would take the ^U.
zpty -r -m z seen '*WORD=*'
zpty -w z $'\\x15print DO""NE'
zpty -r -m z more '*DONE*'
print -r -- "$seen$more"
zpty -d z
`;

test('zsh completes', { skip: missingPrograms('zsh') }, async (t) => {
  const directory = await place(t, 'zsh');
  run(directory, 'zsh', ['-f', '-n', '_ota']);
  for (const [line, words] of cases.filter(([, wanted]) => wanted.length > 0)) {
    const text = ['ota', ...line].map((word) => word.replaceAll(' ', '\\ ')).join(' ');
    const seen = run(directory, 'zsh', ['-f', '-c', `LINE='${text}'\n${zshDriver}`]);
    const found = [...seen.matchAll(/WORD=([^\r\n]*)/g)].map(([, word = '']) => word);
    for (const word of words)
      assert.ok(found.includes(word), `${text}: ${word} is not in ${found.join(', ')}`);
  }
});

test('an unknown shell is told, with 2', async (t) => {
  const near = await runOta(t, ['completion', 'bsh']);
  assert.deepEqual([near.code, /"bsh": did you mean "bash"\?/.test(near.stderr)], [2, true]);
  assert.equal((await runOta(t, ['completion'])).code, 2);
});
