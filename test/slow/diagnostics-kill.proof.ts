import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { readContainerHeader } from '#diagnostics/messages/container.ts';
import { randomFrom } from '../crash/cuts.ts';
import { pythonAvroMissing, readWithC } from '../diagnostics/messages/other-readers.ts';
import type { OutboxSettings } from '../diagnostics/outbox-process.ts';
import { numbersOf } from '../diagnostics/spool/spool-contents.ts';
import { freePort } from '../support/free-port.ts';
import { missingPrograms } from '../support/missing-programs.ts';
import { endBeforeRemoval, scratchDirectory } from '../support/scratch-directory.ts';

const rounds = Number(process.env['KILLS'] ?? 120);
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const worker = join(import.meta.dirname, '../diagnostics/outbox-process.ts');
const receiver = join(import.meta.dirname, '../../scripts/diagnostics-receiver/main.ts');

/** Numbers of the messages of every file of a folder, by name. */
const numbersByPython = `
import json, os, sys
from avro.datafile import DataFileReader
from avro.io import DatumReader
def numbers(path):
    with DataFileReader(open(path, "rb"), DatumReader()) as reader:
        return [int(m["item"]["signal_identifier"][1:]) for sequence in reader for m in sequence["seq"]]
print(json.dumps({name: numbers(os.path.join(sys.argv[1], name)) for name in os.listdir(sys.argv[1])}))
`;

/** One process that is started again after each kill. */
class Life {
  readonly #argv: (next: number) => readonly string[];
  #process: ChildProcess | undefined;
  #output = '';
  readonly acknowledged: number[] = [];
  errors = '';
  /** One more than was acknowledged may be stored, in every life: the next one goes on behind it. */
  next = 0;

  constructor(argv: (next: number) => readonly string[]) {
    this.#argv = argv;
  }

  start(argv = this.#argv(this.next)): void {
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors = `${this.errors}${text}`.slice(-20_000);
    });
    this.#process = child;
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    this.#process = undefined;
    const numbers = this.#output.split('\n').slice(0, -1).map(Number).filter(Number.isInteger);
    this.acknowledged.push(...numbers);
    this.next = Math.max(this.next + 1, (this.acknowledged.at(-1) ?? -1) + 2);
  }

  /** Its output has a line like this by then. */
  async says(line: string, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (!this.#output.includes(line)) {
      assert.ok(performance.now() < end, `no ${line}: ${this.errors}`);
      await after(20);
    }
  }
}

describe(`diagnostics of two ECUs whose processes are killed ${rounds} times`, () => {
  it('arrive once each, in order, whatever was acknowledged', async (t) => {
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const directory = await scratchDirectory(t);
    const received = join(directory, 'received');
    const [port, collectPort] = [await freePort(), await freePort()];
    const settings = (change: Partial<OutboxSettings>): string =>
      JSON.stringify({ uploadUrl: `http://127.0.0.1:${port}`, ...change });
    const main = { ecuId: 'main', directory: join(directory, 'main'), collectPort };
    const child = {
      ecuId: 'child',
      directory: join(directory, 'child'),
      uploadUrl: `http://127.0.0.1:${collectPort}`,
    };
    const lives = {
      main: new Life((first) => [worker, settings({ ...main, first })]),
      child: new Life((first) => [worker, settings({ ...child, first })]),
      receiver: new Life(() => [receiver, '--directory', received, '--port', String(port)]),
    };
    const all = Object.values(lives);
    endBeforeRemoval(t, async () => {
      for (const life of all) await life.kill();
    });
    for (const life of all) life.start();
    for (let round = 0; round < rounds; round++) {
      // Some moments are during the start, when an earlier kill is mended.
      await after(random() < 0.2 ? random() * 600 : 500 + random() * 2000);
      const victims = all.filter(() => random() < 0.45);
      for (const life of victims.length > 0 ? victims : [lives.main]) {
        await life.kill();
        life.start();
      }
    }
    for (const life of all) await life.kill();
    lives.receiver.start();
    lives.main.start([worker, settings(main)]);
    lives.child.start([worker, settings(child)]);
    await lives.child.says('empty', 180_000);
    await lives.main.says('empty', 180_000);
    await after(500);
    for (const life of all) await life.kill();

    for (const [id, life] of [
      ['main', lives.main],
      ['child', lives.child],
    ] as const) {
      const folder = join(received, id);
      const files = await Promise.all(
        (await readdir(folder)).map(async (name) => {
          const bytes = await readFile(join(folder, name));
          const { metadata } = readContainerHeader(bytes);
          assert.equal(`${metadata['segment.id']}.avro`, name);
          assert.equal(metadata['ecu.id'], id);
          return { metadata, numbers: numbersOf(bytes) };
        }),
      );
      const stored = files.flatMap(({ numbers }) => numbers);
      t.diagnostic(
        `${id}: ${life.acknowledged.length} acknowledged, ${stored.length} in ${files.length} files`,
      );
      assert.equal(new Set(stored).size, stored.length, `something of ${id} is stored twice`);
      const there = new Set(stored);
      assert.deepEqual(
        life.acknowledged.filter((n) => !there.has(n)),
        [],
        `something of ${id} is lost`,
      );
      // What begins later has later numbers, in each priority.
      for (const priority of ['critical', 'normal', 'bulk']) {
        const lane = files
          .filter(({ metadata }) => metadata['segment.priority'] === priority)
          .toSorted((a, b) => Number(a.metadata['segment.sequence']) - Number(b.metadata['segment.sequence']))
          .flatMap(({ numbers }) => numbers);
        assert.ok(lane.length > 0);
        assert.deepEqual(
          lane,
          lane.toSorted((a, b) => a - b),
        );
      }
      const sequences = files.map(({ metadata }) => metadata['segment.sequence']);
      assert.equal(new Set(sequences).size, sequences.length, 'a sequence number was given twice');
      await readAll(folder);
    }
    assert.deepEqual(await readdir(join(directory, 'main/quarantine')).catch(() => []), []);
    assert.deepEqual(await readdir(join(directory, 'child/quarantine')).catch(() => []), []);

    /** Apache Avro for Python and for C read every file. */
    async function readAll(folder: string): Promise<void> {
      const skip = pythonAvroMissing() || missingPrograms('avrocat');
      if (skip !== false) return t.diagnostic(`other readers were not asked: ${skip}`);
      const python = execFileSync('/usr/bin/python3', ['-c', numbersByPython, folder], { timeout: 600_000 });
      const byPython = JSON.parse(python.toString()) as Record<string, number[]>;
      for (const name of await readdir(folder)) {
        const numbers = numbersOf(await readFile(join(folder, name)));
        assert.deepEqual(byPython[name], numbers, `Python reads ${name} differently`);
        const text = JSON.stringify(readWithC(join(folder, name)), (_, value: unknown) =>
          typeof value === 'bigint' ? Number(value) : value,
        );
        const byC = [...text.matchAll(/"signal_identifier":"S(\d+)"/g)].map(([, digits]) => Number(digits));
        assert.deepEqual(byC, numbers, `C reads ${name} differently`);
      }
    }
  });
});
