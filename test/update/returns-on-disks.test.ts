import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readBlackBoxes } from '#update/black-box/store.ts';
import { Journal } from '#update/journal.ts';
import { Quarantine } from '#update/quarantine.ts';
import { Returns } from '#update/returns.ts';
import { BlockEcu } from '../support/block-ecu.ts';
import { whyNoLoopDisks } from '../support/loop-disk.ts';
import { UpdateWorld } from '../support/update-world.ts';

const skip = whyNoLoopDisks('dumpe2fs', 'e2fsck');
const resetPlaces = { crashRecords: [], watchdogs: '/does/not/exist' };

for (const status of ['shared', 'in_slot'] as const) {
  describe(`a return on disks whose status files are ${status}`, { skip }, () => {
    it('is told with the log of the failed slot, quarantined, and handed on through mkfs', async (t) => {
      const ecu = await BlockEcu.create(t, { status, options: { reuse: false } });
      const site = await UpdateWorld.create(t);
      await site.publish({ 'etc/name': 'two' });
      const journal = await Journal.open(join(site.directory, 'journal.json'));
      await journal.begin('verify', { requestId: 'r', version: '2', url: 'http://h/' });
      let imageDigest: string;
      {
        await using slots = await ecu.open();
        const { image, tree } = await site.update({ slots });
        imageDigest = image.digest;
        await journal.reach('activate', { imageDigest, crashRecords: [] });
        await slots.activate(tree, { version: '2', detail: undefined, imageDigest });
        await journal.reach('reboot');
      }
      const theirs = (root: string): string =>
        status === 'in_slot' ? join(root, 'boot/ota-status') : join(ecu.disk.directory, 'shared/slot_b');
      await ecu.disk.inside(2, async (root) => {
        await mkdir(join(root, 'var/log'), { recursive: true });
        await writeFile(join(root, 'var/log/messages'), 'init: token=S3CRET broken\n');
        const archive = join(root, 'var/lib/systemd/pstore/1700');
        await mkdir(archive, { recursive: true });
        await writeFile(join(archive, 'dmesg.txt'), 'Kernel panic\n');
        const points = { format: 1, timeline: [{ step: 'first_boot', at: 5 }] };
        await writeFile(join(theirs(root), 'first-boot'), JSON.stringify(points));
      });

      await using slots = await ecu.open();
      const returns = new Returns({ slots, log: ecu.log, resetPlaces });
      const verdict = await slots.judge();
      assert.ok(verdict.kind === 'fell_back');
      const failure = await returns.settled(verdict, journal.entry);
      await slots.record('FAILURE', failure);
      const { boxes } = await slots.withArchive('current', 'read', readBlackBoxes);
      const [box] = boxes;
      assert.ok(box !== undefined);
      assert.equal(box.cause, 'kernel_crash');
      assert.deepEqual(box.evidence, [
        { source: '/var/log/messages', text: 'init: token=(redacted) broken\n' },
        { source: 'crash record /var/lib/systemd/pstore/1700/dmesg.txt', text: 'Kernel panic\n' },
      ]);
      assert.ok(box.timeline.some(({ by, step }) => by === 'new' && step === 'first_boot'));
      assert.deepEqual(box.left, { slot: 'slot_b', version: '2', image_digest: imageDigest });
      await assert.rejects(returns.admit({ version: '2', imageDigest }, false), { code: 'quarantined' });

      const { image, tree } = await site.update({ slots });
      await slots.activate(tree, { version: '3', detail: undefined, imageDigest: image.digest });
      await ecu.disk.inside(2, async (root) => {
        const list = JSON.parse(await readFile(join(theirs(root), 'quarantine'), 'utf8'));
        assert.equal(list.releases[0].black_box, box.id);
        assert.deepEqual(await readdir(join(theirs(root), 'blackbox')), [`${box.id}.json`]);
      });
    });

    it('is read and cleared beside the daemon', async (t) => {
      const ecu = await BlockEcu.create(t, { status });
      const release = { version: '2', imageDigest: 'd', at: 1, why: 'it hung', blackBox: '' };
      {
        await using slots = await ecu.open();
        await new Quarantine(slots).add(release);
      }
      await using reader = await ecu.open('reader');
      const quarantine = new Quarantine(reader);
      assert.deepEqual((await quarantine.list()).releases, [release]);
      assert.deepEqual(await reader.withArchive('current', 'read', readBlackBoxes), {
        boxes: [],
        unreadable: [],
      });
      await quarantine.remove(release);
      assert.deepEqual((await quarantine.list()).releases, []);
    });
  });
}
