import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EventJournal, type EventJournalOptions } from '#ecu/events/event-journal.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { endBeforeRemoval, scratchDirectory } from '../../support/scratch-directory.ts';

const signal = new AbortController().signal;
const all = () => true;

async function open(t: TestContext, directory: string, more: Partial<EventJournalOptions> = {}) {
  const log = new MemoryLog();
  const journal = await EventJournal.open({ directory, maxBytes: 1_000_000, log, ...more });
  endBeforeRemoval(t, () => journal[Symbol.asyncDispose]());
  return { journal, log };
}

async function texts(journal: EventJournal): Promise<string[]> {
  return (await journal.page(undefined, 1000, all, signal)).events.map(({ text }) => text);
}

describe('the journal of events', () => {
  it('keeps events across restarts, newest first, and never gives a number twice', async (t) => {
    const directory = await scratchDirectory(t);
    const first = await EventJournal.open({ directory, maxBytes: 1_000_000, log: new MemoryLog() });
    await first.record({ kind: 'request', caller: 'operator:a', text: 'one', details: { request_id: 'r' } });
    first.note({ kind: 'daemon', text: 'the daemon ends', details: { daemon: 'ends' } });
    await first[Symbol.asyncDispose]();

    const { journal } = await open(t, directory);
    assert.equal(journal.endedInOrder, true);
    await journal.record({ kind: 'state', ecuId: 'main', text: 'three' });
    const { events } = await journal.page(undefined, 10, all, signal);
    assert.deepEqual(
      events.map(({ sequence, text }) => [sequence, text]),
      [
        [3, 'three'],
        [2, 'the daemon ends'],
        [1, 'one'],
      ],
    );
    assert.deepEqual(events[2]?.details, { request_id: 'r' });
  });

  it('cuts off a torn end, keeps what is whole, and leaves a gap that nobody can have seen filled', async (t) => {
    const directory = await scratchDirectory(t);
    const first = await EventJournal.open({ directory, maxBytes: 1_000_000, log: new MemoryLog() });
    await first.record({ kind: 'request', text: 'whole' });
    await first[Symbol.asyncDispose]();
    const [name = ''] = await readdir(directory);
    await appendFile(join(directory, name), '\0\0garbage\n{"sequence":2,"time":1,"kind":"state","te');

    const { journal } = await open(t, directory);
    assert.equal(journal.endedInOrder, false);
    await journal.record({ kind: 'request', text: 'after' });
    assert.deepEqual(await texts(journal), ['after', 'whole']);
    assert.ok(journal.last > 1000, 'numbers that were shown and lost are not given again');
    const content = await readFile(join(directory, name), 'utf8');
    assert.match(content, /"whole".*\n.*garbage\n.*"after"/s);
    assert.doesNotMatch(content, /"te\{/);
  });

  it('is durable when a request is recorded: a process that is killed right then loses nothing', async (t) => {
    const directory = await scratchDirectory(t);
    const program = `
      const { EventJournal } = await import('#ecu/events/event-journal.ts');
      const log = { info() {}, warn() {}, error() {} };
      const journal = await EventJournal.open({ directory: process.argv[1], maxBytes: 1e6, log });
      for (let n = 0; n < 5; n++) journal.note({ kind: 'state', text: 'progress ' + n });
      await journal.record({ kind: 'request', text: 'asked' });
      process.kill(process.pid, 'SIGKILL');`;
    const args = ['--input-type=module', '-e', program, directory];
    const { signal: killed, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(killed, 'SIGKILL', stderr);
    const { journal } = await open(t, directory);
    assert.deepEqual((await texts(journal)).slice(0, 2), ['asked', 'progress 4']);
  });

  it('keeps within its room on disk, drops the oldest, and says when a place is gone', async (t) => {
    const directory = await scratchDirectory(t);
    const { journal } = await open(t, directory, { maxBytes: 65_536, eventsPerSecond: 1e6 });
    // More than memory holds.
    for (let n = 0; n < 1500; n++) {
      await journal.record({ kind: 'state', text: `${n} ${'x'.repeat(200)}` });
    }
    const sizes = await Promise.all(
      (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
    );
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(bytes <= 65_536, `${bytes} bytes`);
    assert.ok(sizes.length > 1, 'in more than one file');
    assert.equal(await journal.after(1, 10), undefined, 'the first is gone');
    assert.equal(await journal.after(journal.last + 1, 10), undefined, 'that never was');
    const next = await journal.after(journal.last - 3, 10);
    assert.equal(next?.length, 3);
  });

  it('goes through pages without losing or repeating any, from memory and from disk', async (t) => {
    const directory = await scratchDirectory(t);
    for (let life = 0; life < 3; life++) {
      const journal = await EventJournal.open({ directory, maxBytes: 1_000_000, log: new MemoryLog() });
      for (let n = 0; n < 25; n++) await journal.record({ kind: 'state', text: `${life} ${n}` });
      await journal[Symbol.asyncDispose]();
    }
    const { journal } = await open(t, directory);
    const seen: number[] = [];
    let before: number | undefined;
    do {
      const page = await journal.page(before, 7, ({ text }) => !text.endsWith(' 3'), signal);
      seen.push(...page.events.map(({ sequence }) => sequence));
      before = page.before;
    } while (before !== undefined);
    assert.equal(seen.length, 72);
    assert.deepEqual(
      seen,
      [...new Set(seen)].sort((a, b) => b - a),
    );

    const forward: number[] = [];
    let after = 0;
    for (;;) {
      const events = await journal.after(after, 10);
      assert.ok(events);
      if (events.length === 0) break;
      forward.push(...events.map(({ sequence }) => sequence));
      after = events.at(-1)?.sequence ?? 0;
    }
    assert.equal(forward.length, 75);
  });

  it('tells events from memory while the disk takes none, and writes them when it does again', async (t) => {
    const directory = join(await scratchDirectory(t), 'events');
    const { journal, log } = await open(t, directory);
    await rm(directory, { recursive: true });
    await writeFile(directory, 'in the way');
    await journal.record({ kind: 'request', text: 'told all the same' });
    assert.deepEqual(await texts(journal), ['told all the same']);
    assert.match(log.lines.join('\n'), /cannot be written/);
  });

  it('leaves out a flood, and says how much', async (t) => {
    const { journal } = await open(t, await scratchDirectory(t));
    for (let n = 0; n < 200; n++) journal.note({ kind: 'denied', text: `${n}` });
    const denied = (await texts(journal)).length;
    assert.ok(denied < 150, `${denied} were written`);
    journal.note({ kind: 'state', text: 'other kinds have room' });
    const [newest] = (await journal.page(undefined, 1, all, signal)).events;
    assert.equal(newest?.details?.['events_left_out'], String(200 - denied));
  });
});
