import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { EventKind } from '#gen/ota/console/v1/types_pb.ts';
import { ConsoleJournal } from '../support/console-journal.ts';
import { consolePeer } from '../support/console-peer.ts';
import { freePort } from '../support/free-port.ts';
import { runOta, startOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const time = timestampFromMs(Date.UTC(2026, 0, 15, 12, 31, 7, 120));

function someJournal(): ConsoleJournal {
  const journal = new ConsoleJournal();
  journal.add(
    { sequence: 1n, time, kind: EventKind.DAEMON, text: 'daemon started' },
    {
      sequence: 2n,
      time,
      kind: EventKind.REQUEST,
      ecuId: 'main',
      caller: 'operator:workshop',
      text: 'update to 2.0 asked for',
      details: { request_id: 'r1' },
    },
    { sequence: 3n, time, kind: EventKind.STATE, ecuId: 'main', text: 'SUCCESS to UPDATING' },
    { sequence: 4n, time, kind: EventKind.STATE, ecuId: 'camera', text: 'evil\u001b[2J\nline' },
    { sequence: 5n, time, kind: 99 as EventKind, ecuId: 'radar', text: 'of a newer console' },
  );
  return journal;
}

test('events are listed newest last, a line each, over several pages', async (t) => {
  const peer = await consolePeer(t, someJournal().service(2));
  const all = await runOta(t, ['events', '--console', peer.url]);
  assert.deepEqual(all, {
    code: 0,
    stderr: '',
    stdout: [
      '2026-01-15T12:31:07.120Z  -       daemon   daemon started',
      '2026-01-15T12:31:07.120Z  main    request  update to 2.0 asked for (by operator:workshop)',
      '2026-01-15T12:31:07.120Z  main    state    SUCCESS to UPDATING',
      '2026-01-15T12:31:07.120Z  camera  state    evil\ufffd[2J line',
      '2026-01-15T12:31:07.120Z  radar   other    of a newer console',
      '',
    ].join('\n'),
  });
  const few = await runOta(t, ['events', '--console', peer.url, '--limit', '3']);
  assert.deepEqual(few.stdout.match(/main|camera|radar/g), ['main', 'camera', 'radar']);
});

test('events are chosen by ECU, kind and text', async (t) => {
  const peer = await consolePeer(t, someJournal().service(2));
  const chosen = async (...args: string[]): Promise<number[]> => {
    const { code, stdout } = await runOta(t, ['events', '--json', '--console', peer.url, ...args]);
    assert.equal(code, 0);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).sequence);
  };
  assert.deepEqual(await chosen('--ecu', 'main'), [2, 3]);
  assert.deepEqual(await chosen('--ecu', 'main', '--ecu', 'camera'), [2, 3, 4]);
  assert.deepEqual(await chosen('--kind', 'state', '--kind', 'daemon'), [1, 3, 4]);
  assert.deepEqual(await chosen('--query', 'updat'), [2, 3]);
  assert.deepEqual(await chosen('--ecu', 'nobody'), []);
});

test('--json has every key, null where nothing is known', async (t) => {
  const peer = await consolePeer(t, someJournal().service());
  const { stdout } = await runOta(t, ['events', '--json', '--console', peer.url, '--limit', '4']);
  assert.deepEqual(JSON.parse(stdout.split('\n')[0] ?? ''), {
    type: 'event',
    sequence: 2,
    time: '2026-01-15T12:31:07.120Z',
    kind: 'request',
    ecu_id: 'main',
    caller: 'operator:workshop',
    text: 'update to 2.0 asked for',
    details: { request_id: 'r1' },
  });
});

test('--follow goes on over restarts of the console, misses nothing and tells nothing twice', async (t) => {
  const journal = someJournal();
  const first = await consolePeer(t, journal.service());
  const follow = startOta(t, ['events', '-f', '--json', '--limit', '1', '--console', first.url]);
  await follow.waitFor(/"sequence":5/);
  journal.add({ sequence: 6n, text: 'six' });
  await follow.waitFor(/"sequence":6/);
  await first.stop();
  await follow.waitForError(/reconnecting \.\.\. no console answers/);
  journal.add({ sequence: 7n, text: 'seven' });
  const second = await consolePeer(t, journal.service(), { port: first.port });
  await follow.waitFor(/"sequence":7/);
  await second.stop();
  journal.add({ sequence: 8n, text: 'eight' }, { sequence: 9n, text: 'nine' });
  journal.events.splice(0, 7);
  journal.oldest = 9n;
  await consolePeer(t, journal.service(), { port: first.port });
  await follow.waitFor(/"sequence":9/);
  follow.child.kill('SIGINT');
  const { code, stdout, stderr } = await follow.end;
  assert.equal(code, 130);
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).sequence),
    [5, 6, 7, 8, 9],
  );
  assert.match(stderr, /some events are missing here/);
});

test('a journal that is empty when following starts loses nothing either', async (t) => {
  const journal = new ConsoleJournal();
  const first = await consolePeer(t, journal.service());
  const follow = startOta(t, ['events', '--follow', '--console', first.url]);
  await first.watched;
  await first.stop();
  journal.add({ sequence: 1n, text: 'the very first' });
  await consolePeer(t, journal.service(), { port: first.port });
  await follow.waitFor(/the very first\n/);
  follow.child.kill('SIGTERM');
  assert.equal((await follow.end).code, 143);
});

test('--follow takes the new token of a daemon that has started again', async (t) => {
  const journal = someJournal();
  const file = join(await scratchDirectory(t), 'local-token');
  await writeFile(file, 'token-of-one-life\n');
  const first = await consolePeer(t, journal.service(), { token: 'token-of-one-life' });
  const follow = startOta(t, ['events', '-f', '--limit', '1', '--console', first.url, '--token-file', file]);
  await first.watched;
  await first.stop();
  journal.add({ sequence: 6n, text: 'after the start' });
  await consolePeer(t, journal.service(), { token: 'token-of-another-life', port: first.port });
  await follow.waitForError(/reconnecting/);
  await writeFile(file, 'token-of-another-life\n');
  await follow.waitFor(/after the start\n/);
  follow.child.kill('SIGINT');
  assert.equal((await follow.end).code, 130);
});

test('who is not let in ends with 9, who finds nobody with 3, and a wrong call with 2', async (t) => {
  const token = 'only-this-token';
  const peer = await consolePeer(t, someJournal().service(), { token });
  const file = join(await scratchDirectory(t), 'token');
  await writeFile(file, `${token}\n`);
  const events = ['events', '--console', peer.url];
  assert.equal((await runOta(t, [...events, '--token-file', file])).code, 0);
  assert.equal((await runOta(t, events, { env: { OTA_CONSOLE_TOKEN: token } })).code, 0);
  assert.equal((await runOta(t, [...events, '--token-file', '-'], { stdin: token })).code, 0);
  assert.equal(
    (await runOta(t, ['events'], { env: { OTA_CONSOLE_URL: peer.url, OTA_CONSOLE_TOKEN: token } })).code,
    0,
  );
  const none = await runOta(t, events);
  assert.equal(none.code, 9);
  assert.match(none.stderr, /^ota events: the console at .* wants a token, and there is none; .*\n$/);
  const follow = await runOta(t, [...events, '--follow'], { env: { OTA_CONSOLE_TOKEN: 'another-one' } });
  assert.equal(follow.code, 9);
  const nobody = await runOta(t, ['events', '--console', `http://127.0.0.1:${await freePort()}`]);
  assert.equal(nobody.code, 3);
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await runOta(t, ['events', ...args]);
    assert.equal(code, 2, args.join(' '));
    return stderr;
  };
  assert.match(await wrong('--kind', 'stat'), /--kind "stat": did you mean "state"\?/);
  assert.match(await wrong('--limit', '0'), /--limit "0": a number from 1/);
  assert.match(await wrong('--console', 'ftp://x'), /"ftp:\/\/x" is no URL of a console; examples/);
  assert.match(await wrong('--console', 'http://x/y'), /is no URL of a console/);
  assert.match(await wrong('--cert-file', 'x'), /--cert-file and --key-file belong together/);
  assert.match(await wrong('--token-file', join(file, 'no')), /cannot be read/);
  await writeFile(file, 'two words\n');
  const bad = await wrong('--token-file', file);
  assert.match(bad, /holds no token/);
  assert.ok(!bad.includes('two words'), 'what may be a secret is not told');
});
