import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sealedIn } from '../spool/spool-contents.ts';
import { UploadWorld } from './upload-world.ts';

const all = (count: number): number[] => [...Array(count).keys()];

describe('the uploader', () => {
  it('sends every segment once, and forgets it only then', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 2000 });
    await world.fill(30);
    const segments = sealedIn(world.spool).length;
    assert.ok(segments > 3);
    const { uploadedSegments } = await world.upload();
    assert.equal(uploadedSegments, segments);
    assert.equal(world.requests, segments);
    assert.deepEqual(await world.received(), all(30));
    assert.equal(world.spool.counts.segments, 0);
  });

  it('stores one copy, whatever the way to the receiver does', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(20);
    let n = 0;
    world.front = (pass, request, response) => {
      n++;
      switch (n % 7) {
        case 0:
          response.writeHead(503, { 'retry-after': '0' }).end();
          return;
        case 1:
          response.writeHead(429).end();
          return;
        case 2:
          request.socket.destroy();
          return;
        case 3:
          // Stored, but the answer is lost.
          response.writeHead = () => response;
          response.end = () => {
            request.socket.destroy();
            return response;
          };
          pass();
          return;
        case 4:
          // Silence.
          return;
        default:
          pass();
      }
    };
    const counts = await world.upload();
    assert.deepEqual(await world.received(), all(20));
    assert.ok(counts.failures > 5);
    assert.equal(counts.quarantined, 0);
  });

  it('splits what is too large for the receiver, and loses nothing', async (t) => {
    const world = await UploadWorld.create(t, {}, 3000);
    await world.fill(40);
    assert.equal(sealedIn(world.spool).length, 1);
    await world.upload();
    assert.deepEqual(await world.received(), all(40));
    assert.ok((await readdir(join(world.directory, 'received/vehicle-1'))).length > 3);
  });

  it('puts aside what will never be taken, and goes on with the rest', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(12);
    const [bad] = sealedIn(world.spool);
    world.front = (pass, request, response) => {
      if (request.url?.includes(bad?.id ?? '-') === true) response.writeHead(422).end();
      else pass();
    };
    const { quarantined } = await world.upload();
    assert.equal(quarantined, 1);
    const aside = await readdir(join(world.directory, 'spool/quarantine'));
    assert.deepEqual(aside.length, 2);
    const why = aside.find((name) => name.endsWith('.why')) ?? '';
    assert.match(
      await readFile(join(world.directory, 'spool/quarantine', why), 'utf8'),
      /refuses it for good \(422\)/,
    );
    assert.ok((await world.received()).length > 0);
  });

  it('reads its token anew when it is refused, and never tells it', async (t) => {
    const world = await UploadWorld.create(t);
    await world.fill(3);
    const file = join(world.directory, 'token');
    await writeFile(file, 'old-secret');
    const told: string[] = [];
    const tell = (fields: object, line: string): void => void told.push(JSON.stringify(fields) + line);
    let refused = 0;
    world.front = (pass, request, response) => {
      if (request.headers.authorization === 'Bearer new-secret') return pass();
      response.writeHead(401).end();
      refused++;
      if (refused === 4) void writeFile(file, 'new-secret');
    };
    await world.upload({
      token: () => readFile(file, 'utf8'),
      credentials: () => readFile(file, 'utf8'),
      log: { info: tell, warn: tell, error: tell },
    });
    assert.deepEqual(await world.received(), all(3));
    assert.ok(told.some((line) => line.includes('credentials')));
    assert.ok(!told.some((line) => line.includes('secret')));
  });

  it('keeps quiet while the gate is closed, and over the daily limit', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(10);
    let open = false;
    let asked = 0;
    const closed = await world.upload(
      { gate: () => (++asked > 0 && open ? undefined : 'an update needs the link') },
      () => asked > 3,
    );
    assert.equal(closed.waiting, 'an update needs the link');
    assert.equal(world.requests, 0);
    open = true;
    const before = sealedIn(world.spool).length;
    const counts = await world.upload({ dailyBytes: 100 }, () => sealedIn(world.spool).length < before);
    assert.equal(counts.uploadedSegments, 1);
    await world.upload();
    assert.deepEqual(await world.received(), all(10));
  });

  it('waits long for a wrong address, and keeps everything', async (t) => {
    const world = await UploadWorld.create(t);
    await world.fill(2);
    world.front = (_, __, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    const { waiting } = await world.upload({ longWaitMs: 60_000 }, () => world.requests > 0);
    assert.ok(waiting === '' || waiting.includes('302'));
    assert.equal(sealedIn(world.spool).length, 1);
  });
});
