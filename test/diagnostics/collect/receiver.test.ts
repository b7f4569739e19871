import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { endBeforeRemoval, scratchDirectory } from '../../support/scratch-directory.ts';
import { digestHeader, segmentFile } from './segment-file.ts';

const script = join(import.meta.dirname, '../../../scripts/diagnostics-receiver/main.ts');

/** The reference receiver as a process. */
async function receiver(
  t: TestContext,
  directory: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const child = spawn(process.execPath, [script, '--directory', directory, '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  endBeforeRemoval(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [url = ''] = /http:\S+/.exec(line.toString()) ?? [];
  return { url, process: child };
}

type File = ReturnType<typeof segmentFile>;

function put(
  url: string,
  vehicle: string,
  file: File,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/vehicles/${encodeURIComponent(vehicle)}/diagnostics/${file.id}`, {
    method: 'PUT',
    body: file.body,
    headers: { 'content-digest': digestHeader(file.sha256), 'if-none-match': '*', ...headers },
  });
}

describe('the reference receiver', () => {
  it('keeps each segment as a plain file, once, and acknowledges it again', async (t) => {
    const directory = join(await scratchDirectory(t), 'received');
    const { url } = await receiver(t, directory);
    const file = segmentFile();
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => put(url, 'car 1', file)));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 201]);
    assert.deepEqual(await readdir(join(directory, 'car%201')), [`${file.id}.avro`]);
    assert.deepEqual(await readFile(join(directory, 'car%201', `${file.id}.avro`)), file.body);
    assert.deepEqual(await readdir(join(directory, '.parts')), []);
  });

  it('takes one of several bodies for one id, whichever comes first, and names it to the others', async (t) => {
    const directory = join(await scratchDirectory(t), 'received');
    const { url } = await receiver(t, directory);
    const { id } = segmentFile();
    const files = [1, 2, 3, 4].map(() => ({ ...segmentFile(), id }));
    const answers = await Promise.all(files.map((file) => put(url, 'car', file)));
    const winner = files[answers.findIndex(({ status }) => status === 201)];
    assert.ok(winner !== undefined);
    assert.equal(answers.filter(({ status }) => status === 409).length, 3);
    for (const answer of answers) assert.equal(answer.headers.get('etag'), `"${winner.sha256}"`);
    const head = await fetch(`${url}/vehicles/car/diagnostics/${id}`, { method: 'HEAD' });
    assert.equal(head.headers.get('etag'), `"${winner.sha256}"`);
  });

  it('stores nothing of a body that is not whole, not right, or too large', async (t) => {
    const directory = join(await scratchDirectory(t), 'received');
    const { url } = await receiver(t, directory, ['--max-bytes', '50000']);
    const file = segmentFile();
    const other = segmentFile();
    assert.equal((await put(url, 'car', { ...file, sha256: other.sha256 })).status, 422);
    assert.equal(
      (await put(url, 'car', { ...file, body: Buffer.from('{}') }, { 'content-digest': '' })).status,
      415,
    );
    assert.equal((await put(url, 'car', segmentFile({ bytes: 400_000 }))).status, 413);
    assert.equal((await put(url, '../../etc', file)).status, 201);
    const { port } = new URL(url);
    for (const length of [0, 1, file.body.length - 1]) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(
        `PUT /vehicles/car/diagnostics/${file.id} HTTP/1.1\r\nhost: a\r\ncontent-length: ${file.body.length}\r\n\r\n`,
      );
      socket.end(file.body.subarray(0, length));
      socket.resume();
      await once(socket, 'close');
    }
    assert.deepEqual((await readdir(directory)).toSorted(), ['%2E.%2F..%2Fetc', '.parts']);
    assert.deepEqual(await readdir(join(directory, '.parts')), []);
    assert.equal((await put(url, 'car', file)).status, 201);
  });

  it('goes on after it was killed: what it had acknowledged is there, what was half written is gone', async (t) => {
    const directory = join(await scratchDirectory(t), 'received');
    await mkdir(join(directory, '.parts'), { recursive: true });
    await writeFile(join(directory, '.parts', '99-1'), 'half');
    const first = await receiver(t, directory);
    const file = segmentFile();
    assert.equal((await put(first.url, 'car', file)).status, 201);
    assert.deepEqual(await readdir(join(directory, '.parts')), []);
    first.process.kill('SIGKILL');
    await once(first.process, 'close');
    const second = await receiver(t, directory);
    assert.equal((await put(second.url, 'car', file)).status, 200);
    second.process.kill('SIGTERM');
    assert.deepEqual(await once(second.process, 'close'), [0, null]);
  });

  it('asks for its token, and says what is wrong with its options', async (t) => {
    const directory = join(await scratchDirectory(t), 'received');
    const { url } = await receiver(t, directory, [], { OTA_RECEIVER_TOKEN: 'secret' });
    assert.equal((await put(url, 'car', segmentFile())).status, 401);
    assert.equal((await put(url, 'car', segmentFile(), { authorization: 'Bearer secret' })).status, 201);
    for (const [args, problem] of [
      [['--port', 'x'], /--port/],
      [['--max-bytes', '0'], /--max-bytes/],
      [['--nonsense'], /nonsense/],
      [['--host', '203.0.113.1'], /cannot listen at 203\.0\.113\.1/],
    ] as const) {
      const child = spawn(process.execPath, [script, '--directory', directory, ...args], { stdio: 'pipe' });
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const [code] = (await once(child, 'close')) as [number];
      assert.equal(code, 2);
      assert.match(text, problem);
    }
  });
});
