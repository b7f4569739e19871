import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Spool } from '#diagnostics/spool/spool.ts';
import { type QueuedSegment, UploadQueue, type UploadShelf } from '#diagnostics/upload/queue.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { message, noise, shelfOf } from '../spool/spool-contents.ts';
import { spoolOptions } from '../spool/spool-options.ts';

describe('the order of uploads', () => {
  it('is newest critical first, then the oldest of each priority, of several ECUs in turn', async (t) => {
    const directory = await scratchDirectory(t);
    const shelves: UploadShelf[] = [];
    for (const vehicleId of ['a', 'b']) {
      const spool = await Spool.open(spoolOptions(join(directory, vehicleId)));
      t.after(() => spool[Symbol.asyncDispose]());
      for (const priority of ['bulk', 'critical', 'normal', 'critical', 'normal'] as const) {
        await spool.append(priority, [message(1)]);
        await spool.seal();
      }
      shelves.push({ vehicleId, shelf: shelfOf(spool) });
    }
    const queue = new UploadQueue(() => shelves);
    const order: string[] = [];
    for (let next = queue.next(false); next !== undefined; next = queue.next(false)) {
      const { segment, shelf, vehicleId } = next;
      order.push(`${vehicleId} ${segment.priority} ${segment.sequence}`);
      queue.served(next);
      await shelf.finish(segment, '0'.repeat(64));
    }
    assert.deepEqual(order, [
      'a critical 4',
      'b critical 4',
      'a critical 2',
      'b critical 2',
      'a normal 3',
      'b normal 3',
      'a normal 5',
      'b normal 5',
      'a bulk 1',
      'b bulk 1',
    ]);
  });

  it('tries a receiver that is down with something small', async (t) => {
    const spool = await Spool.open(spoolOptions(await scratchDirectory(t)));
    t.after(() => spool[Symbol.asyncDispose]());
    for (const bytes of [5000, 10, 3000]) {
      await spool.append('normal', [message(1, noise(bytes))]);
      await spool.seal();
    }
    const queue = new UploadQueue(() => [{ vehicleId: 'a', shelf: shelfOf(spool) }]);
    const sequenceOf = (next: QueuedSegment | undefined) => next?.segment.sequence;
    assert.equal(sequenceOf(queue.next(false)), 1);
    assert.equal(sequenceOf(queue.next(true)), 2);
  });
});
