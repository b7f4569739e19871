import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { StatusOta, UpdatePhase } from '#gen/otaclient_v2_pb.ts';
import { ConsoleJournal } from '../../support/console-journal.ts';
import { consolePeer } from '../../support/console-peer.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { scriptedPeer } from '../../support/scripted-peer.ts';
import type { OnTerminal } from '../../support/terminal.ts';
import { otaOnTerminal } from '../../support/terminal.ts';

const noConsole = { OTA_CONSOLE_URL: 'http://127.0.0.1:1' };

function names(count: number): string[] {
  return ['main', ...Array.from({ length: count - 1 }, (_, index) => `child-${index + 1}`)];
}

function vehicle(count: number, version = '1.0'): () => object {
  const ids = names(count);
  return () => ({
    availableEcuIds: ids,
    ecuV2: ids.map((ecuId) => ({
      ecuId,
      firmwareVersion: version,
      otaStatus: StatusOta.SUCCESS,
      parentEcuId: ecuId === 'main' ? '' : 'main',
    })),
  });
}

function givenBack(view: OnTerminal): void {
  const { picture } = view;
  const output = view.output();
  const setting = output.slice(output.lastIndexOf('speed '));
  assert.match(setting, / icanon .* echo /s, 'keys are shown and come by the line again');
  assert.deepEqual(
    [picture.isAlternate, picture.hasCursor, picture.wraps],
    [false, true, true],
    'the terminal is given back',
  );
}

test('the view fills the terminal: summary, tree, phases, events of the console, keys', async (t) => {
  const peer = await scriptedPeer(t, {
    status: () => ({
      availableEcuIds: ['main', 'camera'],
      ecuV2: [
        {
          ecuId: 'main',
          firmwareVersion: '1.0',
          otaStatus: StatusOta.UPDATING,
          waitingFor: ['standing still: Vehicle.Speed is 12'],
          updateStatus: {
            updateFirmwareVersion: '2.0',
            phase: UpdatePhase.DOWNLOADING_OTA_FILES,
            totalFilesNum: 100n,
            totalFilesSizeUncompressed: 1_000_000n,
            processedFilesNum: 60n,
            processedFilesSize: 500_000n,
          },
        },
        {
          ecuId: 'camera',
          parentEcuId: 'main',
          firmwareVersion: '1.0',
          otaStatus: StatusOta.FAILURE,
          failureReason: 'E307: standby slot is too small',
          failureType: 2,
        },
      ],
    }),
  });
  const journal = new ConsoleJournal();
  journal.add({
    sequence: 1n,
    ecuId: 'main',
    kind: 1,
    text: 'update to 2.0 asked for',
    caller: 'operator:me',
  });
  const console = await consolePeer(t, journal.service());
  const view = otaOnTerminal(t, ['status', '--watch', '--host', peer.address, '--console', console.url]);
  await view.waitFor('all is there', ({ text }) => /camera[^]*asked for/.test(text));
  const { lines, isAlternate } = view.picture;
  assert.ok(isAlternate && !view.picture.hasCursor);
  assert.equal(lines.length, 30);
  assert.match(lines[0] ?? '', /^2 ECUs, 1 at work, 1 failed +127\.0\.0\.1:\d+ {2}\d\d:\d\d:\d\dZ$/);
  assert.equal(lines[1], 'failed: camera');
  assert.match(lines[4] ?? '', /^main +1\.0 → 2\.0 +UPDATING +█+.*░+ +49%/);
  assert.match(lines[5] ?? '', /^│ ? +✓ start {2}✓ metadata {2}✓ compare {2}▶ download {2}· apply/);
  assert.match(view.picture.text, /waiting for:\n│? +- standing still: Vehicle\.Speed is 12/);
  assert.match(view.picture.text, /└ camera +1\.0 +FAILURE\n +UNRECOVERABLE E307/);
  assert.match(view.picture.text, /What to do: use a smaller image/);
  assert.match(
    view.picture.text,
    /── Events ─+\n- {2}main {2}request {2}update to 2\.0 asked for \(by operator:me\)/,
  );
  assert.match(lines[29] ?? '', /^arrows scroll .* q quit$/);
  journal.add({ sequence: 2n, ecuId: 'camera', kind: 2, text: 'something new' });
  await view.waitFor('the new event is there', ({ text }) => text.includes('something new'));
  view.press('?');
  await view.waitFor('help is there', ({ text }) => text.includes('PgUp, PgDn'));
  view.press(' ');
  await view.waitFor('help is gone', ({ text }) => !text.includes('PgUp, PgDn'));
  view.press('q');
  assert.equal(await view.end, 0);
  givenBack(view);
});

test('more ECUs than lines can be scrolled through, filtered, and told in less detail', async (t) => {
  const peer = await scriptedPeer(t, { status: vehicle(100) });
  const view = otaOnTerminal(t, ['status', '-w', '--host', peer.address], { rows: 20, env: noConsole });
  const shown = (name: string): Promise<void> =>
    view.waitFor(name, ({ text }) => new RegExp(`${name} `).test(text));
  await shown('├ child-12');
  assert.match(view.picture.lines[19] ?? '', /lines 1-\d+ of 100$/);
  view.press('\u001b[6~');
  await shown('├ child-25');
  view.press('G');
  await shown('└ child-99');
  view.press('\u001b[A');
  await view.waitFor('one line up', ({ text }) => !text.includes('child-99'));
  view.press('\u001b[1~');
  await shown('main');
  view.press('f');
  await view.waitFor('nothing is active', ({ text }) => text.includes('no ECU is at work or in trouble'));
  view.press('f');
  await shown('├ child-12');
  const before = view.output().length;
  view.press('\u000c');
  await view.waitFor('everything is drawn again', () => view.output().slice(before).includes('child-12'));
  view.press('\u0003');
  assert.equal(await view.end, 130);
  givenBack(view);
});

test('only what changed is drawn', async (t) => {
  const peer = await scriptedPeer(t, { status: vehicle(20) });
  const view = otaOnTerminal(t, ['status', '-w', '--interval', '0.2', '--host', peer.address], {
    env: noConsole,
  });
  await view.waitFor('the vehicle is there', ({ text }) => text.includes('child-19'));
  const before = view.output().length;
  const clock = (): string => view.picture.lines[0] ?? '';
  const [first] = [clock()];
  await view.waitFor('the clock went on', () => clock() !== first);
  const second = clock();
  await view.waitFor('the clock went on again', () => clock() !== second);
  const drawn = view.output().slice(before);
  assert.ok(!drawn.includes('child'), drawn);
  assert.ok(drawn.length < 600, `${drawn.length} characters for two ticks of a clock`);
  view.press('q');
  await view.end;
});

test('a daemon that is away is told so, with what was seen, and is found again', async (t) => {
  const first = await scriptedPeer(t, { status: vehicle(3) });
  const view = otaOnTerminal(t, ['status', '-w', '--interval', '0.2', '--host', first.address], {
    env: noConsole,
  });
  await view.waitFor('the vehicle is there', ({ text }) => text.includes('child-2'));
  first.stop();
  await view.waitFor('it is away', ({ text }) => /^reconnecting for .*: no OTA daemon answers/m.test(text));
  assert.match(view.picture.text, /main +1\.0 +silent, was SUCCESS/);
  await scriptedPeer(t, { status: vehicle(3, '2.0') }, first.port);
  await view.waitFor('it is back', ({ text }) => /main +2\.0 +SUCCESS/.test(text));
  assert.doesNotMatch(view.picture.text, /reconnecting/);
  view.press('q');
  assert.equal(await view.end, 0);
});

test('the terminal is given back after signals, and after a crash', async (t) => {
  const peer = await scriptedPeer(t, { status: vehicle(3) });
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const) {
    const view = otaOnTerminal(t, ['status', '-w', '--host', peer.address], { env: noConsole });
    await view.waitFor('the vehicle is there', ({ text }) => text.includes('child-2'));
    process.kill(view.pid(), signal);
    assert.equal(await view.end, code);
    givenBack(view);
  }
  const bomb = join(await scratchDirectory(t), 'bomb.mjs');
  writeFileSync(bomb, "process.on('SIGUSR2', () => { throw new Error('bang'); });\n");
  const view = otaOnTerminal(t, ['status', '-w', '--host', peer.address], {
    env: { ...noConsole, NODE_OPTIONS: `--import=${bomb}` },
  });
  await view.waitFor('the vehicle is there', ({ text }) => text.includes('child-2'));
  process.kill(view.pid(), 'SIGUSR2');
  assert.equal(await view.end, 1);
  givenBack(view);
  assert.match(view.picture.text, /Error: bang/, 'the error is told on the screen that stays');
});

test('Ctrl-Z gives the terminal back while the view is stopped, and takes it again', async (t) => {
  const peer = await scriptedPeer(t, { status: vehicle(3) });
  const view = otaOnTerminal(t, ['status', '-w', '--host', peer.address], { env: noConsole });
  await view.waitFor('the vehicle is there', ({ text }) => text.includes('child-2'));
  const before = view.output().length;
  view.press('\u001a');
  // Nobody is there to continue it, so that the kernel does not stop it: it goes through both at once.
  await view.waitFor('it was given back and taken again', ({ isAlternate, text }) => {
    return isAlternate && view.output().slice(before).includes('\u001b[?1049l') && text.includes('child-2');
  });
  view.press('q');
  assert.equal(await view.end, 0);
  givenBack(view);
});

test('without colours, without Unicode and on a dumb terminal it is what that can show', async (t) => {
  const peer = await scriptedPeer(t, { status: vehicle(3) });
  const args = ['status', '-w', '--host', peer.address];
  const plain = otaOnTerminal(t, args, { env: { ...noConsole, NO_COLOR: '1', LANG: 'C' } });
  await plain.waitFor('the tree is there', ({ text }) => text.includes('`-child-2'));
  plain.press('q');
  await plain.end;
  // oxlint-disable-next-line no-control-regex -- colours are what this looks for
  assert.doesNotMatch(plain.output(), /\u001b\[[\d;]*m|[^\u0000-\u007f]/);
  const dumb = otaOnTerminal(t, args, { env: { ...noConsole, TERM: 'dumb' } });
  await dumb.waitFor('lines are there', ({ text }) => /Z child-2 SUCCESS 1\.0/.test(text));
  dumb.press('\u0003');
  assert.equal(await dumb.end, 130);
  assert.ok(!dumb.output().includes('\u001b'), 'no escape sequences');
});
