import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SlotArchive } from '#boot/slot-archive.ts';
import type { BlackBox } from '#update/black-box/record.ts';
import { boundedBlackBox, parseBlackBox } from '#update/black-box/record.ts';
import { newBlackBoxId, readBlackBoxes, writeBlackBox } from '#update/black-box/store.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const box: BlackBox = {
  format: 1,
  id: '20261122-223501-9f3a',
  at: 1_795_336_170_000,
  complete: true,
  switch: 'update',
  cause: 'probe_failed',
  detail: 'check web ended with exit code 1',
  probe: { name: 'web', kind: 'command', target: 'sh', how: 'ended with exit code 1', output: 'one\ntwo\n' },
  left: { slot: 'slot_b', version: '2', image_digest: 'd' },
  back_in: { slot: 'slot_a', version: '1', image_digest: 'c' },
  boots: 1,
  session_id: 's',
  timeline: [{ by: 'old', step: 'verify', at: 1_795_336_160_000 }],
  evidence: [{ source: 'journal', text: 'line\n' }],
  missing: [],
};

test('a black box is read as it was written; the oldest goes when there are too many', async (t) => {
  const archive = new SlotArchive(await scratchDirectory(t));
  const ids = Array.from({ length: 18 }, (_, n) => newBlackBoxId(box.at + n * 1000, 'aaaa'));
  for (const id of ids) await writeBlackBox(archive, { ...box, id });
  const { boxes, unreadable } = await readBlackBoxes(archive);
  assert.deepEqual(unreadable, []);
  assert.deepEqual(
    boxes.map(({ id }) => id),
    ids.slice(2),
  );
  assert.deepEqual(boxes[0], { ...box, id: ids[2] });
});

test('what is no black box is named, and the others are read', async (t) => {
  const directory = await scratchDirectory(t);
  const archive = new SlotArchive(directory);
  await writeBlackBox(archive, box);
  await archive.write('blackbox/20270101-000000-0000.json', { ...box, format: 2 });
  await archive.write('blackbox/other-name.json', box);
  await archive.write('blackbox/time.json', { ...box, id: 'time', at: 1e300 });
  const { boxes, unreadable } = await readBlackBoxes(archive);
  assert.deepEqual(boxes, [box]);
  assert.deepEqual(unreadable, [
    'blackbox/20270101-000000-0000.json',
    'blackbox/other-name.json',
    'blackbox/time.json',
  ]);
});

test('an id sorts by time', () => {
  const [one, two] = [newBlackBoxId(box.at, 'ffff'), newBlackBoxId(box.at + 1000, '0000')];
  assert.match(one, /^20261122-\d{6}-ffff$/);
  assert.ok(one < two);
});

test('an id comes after those that are there, also when the clock was set back', () => {
  const future = { id: '20991231-235959-aaaa' };
  assert.equal(newBlackBoxId(box.at, 'bbbb', [box, future]), '21000101-000000-bbbb');
  assert.equal(newBlackBoxId(0, 'bbbb', [box]), '20261122-223502-bbbb');
  assert.equal(newBlackBoxId(0, 'bbbb', [{ id: 'time' }]), '19700101-000000-bbbb');
  const before = { id: newBlackBoxId(box.at, 'aaaa') };
  assert.equal(newBlackBoxId(box.at + 5000, 'bbbb', [before]), newBlackBoxId(box.at + 5000, 'bbbb'));
});

test('however much there is, the file stays small, readable, and keeps the ends of logs', () => {
  for (const filler of ['x', '\u{1f600}', '"\\', '\t', 'é']) {
    const text = `${`${filler.repeat(200)}\n`.repeat(300)}the end`;
    const full = boundedBlackBox({
      ...box,
      detail: text,
      probe: { name: text, kind: text, target: text, how: text, output: text },
      timeline: Array.from({ length: 500 }, () => ({ by: 'new' as const, step: 's'.repeat(64), at: 1 })),
      evidence: Array.from({ length: 20 }, (_, n) => ({ source: `log ${n}`, text })),
      missing: Array.from({ length: 100 }, () => text),
    });
    assert.ok(Buffer.byteLength(JSON.stringify(full)) < 64 * 1024, filler);
    assert.ok(parseBlackBox(JSON.parse(JSON.stringify(full))) !== undefined);
    assert.ok(full.probe?.output.endsWith('the end'));
    assert.ok(full.evidence[0]?.text.endsWith('the end'), filler);
  }
});

test('no secrets and no escape sequences get in', () => {
  const text =
    '\u001b[2Jstart Cookie: k=S3CRET\nAuthorization: Bearer S3CRET\nhttp://u:S3CRET@h/a?q=S3CRET end';
  const clean = JSON.stringify(
    boundedBlackBox({
      ...box,
      detail: text,
      probe: { name: text, kind: text, target: text, how: text, output: text },
      evidence: [{ source: text, text }],
      missing: [text],
    }),
  );
  assert.ok(!clean.includes('S3CRET'), clean);
  assert.ok(!clean.includes('\\u001b'), clean);
  assert.ok(clean.includes('http://(redacted)@h/a'));
});
