import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { describeDevice } from '#host/block-device.ts';
import { MountNamespace } from '#host/mount-namespace.ts';
import { freeStaleMounts, mountsOf } from '#host/stale-mounts.ts';
import { LoopDisk, whyNoLoopDisks } from '../support/loop-disk.ts';
import { programsOnPath } from '../support/programs.ts';

const never = new AbortController().signal;
const skip = whyNoLoopDisks();

function disk(t: TestContext): LoopDisk {
  const made = LoopDisk.create(t, [{ name: 'one', kib: 8192 }]);
  made.format(1, 'ext4');
  return made;
}

function holderOf(path: string): number {
  return Number(path.split('/')[2]);
}

describe('a private mount namespace', { skip }, () => {
  it('shows its mounts to this process and its programs, and to nobody else', async (t) => {
    const { directory, ...made } = disk(t);
    const at = join(directory, 'private');
    await using namespace = await MountNamespace.open(at, never);
    const root = await namespace.mount(`${made.node}p1`, 'standby', { type: 'ext4' }, never);
    assert.equal(root, namespace.pathOf('standby'));
    await writeFile(join(root, 'file'), 'content');
    assert.deepEqual(await readdir(join(at, 'standby')), [], 'not here');
    const command = { argv: ['cat', join(at, 'standby/file')] as const, timeoutMs: 5000 };
    assert.equal((await namespace.run(command, never)).stdout, 'content');
    await namespace.unmount('standby', never);
    assert.equal(readFileSync(`/proc/${holderOf(root)}/mountinfo`, 'utf8').includes(`${at}/standby`), false);
    await namespace.unmount('standby', never);
  });

  it('binds a directory read only, without what is mounted in it or will be', async (t) => {
    const made = disk(t);
    const at = join(made.directory, 'private');
    await using namespace = await MountNamespace.open(at, never);
    const root = await namespace.bindReadOnly('/', 'active', never);
    assert.deepEqual(await readdir(join(root, 'proc')), []);
    await assert.rejects(writeFile(join(root, 'file'), ''), { code: 'EROFS' });
    made.mount(1);
    assert.equal((await readdir(made.directory)).includes('mnt1'), true);
    assert.equal(existsSync(join(root, made.directory, 'mnt1/lost+found')), false);
  });

  it('has no mount left when it was closed', async (t) => {
    const made = disk(t);
    const device = await describeDevice(made.partition(1), never);
    {
      await using namespace = await MountNamespace.open(join(made.directory, 'private'), never);
      await namespace.mount(device.path, 'standby', {}, never);
      assert.equal((await mountsOf(device)).length, 1);
    }
    assert.deepEqual(await mountsOf(device), []);
  });

  it('says what could not be mounted and why, and who uses what cannot be unmounted', async (t) => {
    const made = disk(t);
    await using namespace = await MountNamespace.open(join(made.directory, 'private'), never);
    await assert.rejects(namespace.mount(made.partition(1), 'standby', { type: 'xfs' }, never), {
      code: 'mount_failed',
      message: new RegExp(`${made.partition(1)} could not be mounted: .+`),
    });
    const root = await namespace.mount(made.partition(1), 'standby', {}, never);
    const user = spawn('sleep', ['60'], { cwd: root });
    await once(user, 'spawn');
    await assert.rejects(namespace.unmount('standby', never), { code: 'unmount_failed', message: /busy/ });
    user.kill('SIGKILL');
    await once(user, 'exit');
    await namespace.unmount('standby', never);
  });

  it('survives the signals that end a service, and tells when its holder was killed', async (t) => {
    const made = disk(t);
    await using namespace = await MountNamespace.open(join(made.directory, 'private'), never);
    const root = await namespace.mount(made.partition(1), 'standby', {}, never);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(holderOf(root), signal);
    await writeFile(join(root, 'file'), 'still here');
    process.kill(holderOf(root), 'SIGKILL');
    while (namespace.isAlive) await pause(5);
    assert.throws(() => namespace.pathOf('standby'), { code: 'lost', message: /SIGKILL/ });
    await assert.rejects(namespace.mount(made.partition(1), 'other', {}, never), { code: 'lost' });
  });

  it('is refused in words where the system does not let us have one', async (t) => {
    await programsOnPath(t, {
      unshare: 'echo "unshare: unshare failed: Operation not permitted" >&2; exit 1',
    });
    const made = disk(t);
    await assert.rejects(MountNamespace.open(join(made.directory, 'private'), never), {
      code: 'not_available',
      message: /Operation not permitted.*CAP_SYS_ADMIN/,
    });
  });
});

describe('left-over mounts', { skip }, () => {
  it('are unmounted in every namespace', async (t) => {
    const made = disk(t);
    const device = await describeDevice(made.partition(1), never);
    made.mount(1);
    await using namespace = await MountNamespace.open(join(made.directory, 'private'), never);
    await namespace.mount(device.path, 'standby', {}, never);
    assert.ok((await mountsOf(device)).length >= 2);
    await freeStaleMounts(device, never);
    assert.deepEqual(await mountsOf(device), []);
  });

  it('of a process that was killed are gone when freeing returns', async (t) => {
    const made = disk(t);
    const device = await describeDevice(made.partition(1), never);
    const namespace = await MountNamespace.open(join(made.directory, 'private'), never);
    const root = await namespace.mount(device.path, 'standby', {}, never);
    await writeFile(join(root, 'file'), 'written');
    process.kill(holderOf(root), 'SIGKILL');
    await freeStaleMounts(device, never);
    await made.inside(1, async (at) => assert.equal(await readFile(join(at, 'file'), 'utf8'), 'written'));
    await namespace[Symbol.asyncDispose]();
  });

  it('that are somebody\'s "/" are left alone', async (t) => {
    const made = disk(t);
    const device = await describeDevice(made.partition(1), never);
    const at = made.mount(1);
    execFileSync('sh', [
      '-c',
      `mkdir ${at}/bin ${at}/proc; cp /bin/sleep ${at}/bin; ldd /bin/sleep | grep -o '/[^ ]*' | while read f; do mkdir -p ${at}$(dirname $f); cp $f ${at}$f; done`,
    ]);
    const script = `mount --bind ${at} ${at} && cd ${at} && pivot_root . . && exec /bin/sleep 60`;
    const owner = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script]);
    t.after(() => owner.kill('SIGKILL'));
    await once(owner, 'spawn');
    const isRoot = async (): Promise<boolean> =>
      (await mountsOf(device)).some(({ mountPoint }) => mountPoint === '/');
    for (let tries = 0; tries < 200 && !(await isRoot()); tries++) await pause(10);
    await assert.rejects(freeStaleMounts(device, never), { code: 'unmount_failed', message: /boot\.slot_a/ });
    assert.ok(await isRoot());
    owner.kill('SIGKILL');
    await once(owner, 'exit');
  });

  it('that are in use are named with what to do', async (t) => {
    const made = disk(t);
    const device = await describeDevice(made.partition(1), never);
    const user = spawn('sleep', ['60'], { cwd: made.mount(1) });
    t.after(() => user.kill('SIGKILL'));
    await once(user, 'spawn');
    const soon = AbortSignal.timeout(300);
    await assert.rejects(
      freeStaleMounts(device, soon),
      (error: Error) => soon.aborted && error.name !== 'Error',
    );
    user.kill('SIGKILL');
    await once(user, 'exit');
    await freeStaleMounts(device, never);
  });
});
