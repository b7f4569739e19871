import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import type { SlotTree } from '#boot/boot-loader.ts';
import { entriesOf, installFstab, rewriteFstab } from '#boot/fstab.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const active = `# /etc/fstab: static file system information.
UUID=aaaa / ext4 errors=remount-ro,noatime 0 1
UUID=bbbb	/boot	ext4	defaults	0	2
UUID=CCCC /boot/efi vfat umask=0077 0 1
/dev/sdz1 /data ext4 defaults 0 2
`;
const image = `# made with the image
UUID=build / ext4 defaults 0 1
UUID=build-boot /boot ext4 defaults 0 2
UUID=build-efi /boot/efi vfat umask=0077 0 1
tmpfs /tmp tmpfs size=1G 0 0
this line is not an entry at all, it has too many fields
/swapfile none swap sw 0 0
LABEL=maps /maps ext4 ro,nofail
`;
const plan = { root: 'UUID=new', rootType: 'ext4', vehicle: [] };

function pairs(fstab: string): readonly string[] {
  return entriesOf(fstab).map(({ spec, mountPoint }) => `${spec} ${mountPoint}`);
}

describe('fstab of a new release', () => {
  it('takes root and boot partitions from the running release and all else from the image', () => {
    const text = rewriteFstab(image, active, plan);
    assert.deepEqual(pairs(text), [
      'UUID=new /',
      'UUID=bbbb /boot',
      'UUID=CCCC /boot/efi',
      'tmpfs /tmp',
      '/swapfile none',
      'LABEL=maps /maps',
    ]);
    assert.equal(entriesOf(text)[0]?.options, 'errors=remount-ro,noatime');
    assert.match(text, /^# made with the image$/m);
  });

  it('says the same when it is made again', () => {
    const once = rewriteFstab(image, active, plan);
    assert.equal(rewriteFstab(once, active, plan), once);
  });

  it('mounts no boot partition of the machine that built the image', () => {
    assert.deepEqual(pairs(rewriteFstab(image, 'UUID=aaaa / ext4 defaults 0 1', plan)).slice(0, 2), [
      'UUID=new /',
      'tmpfs /tmp',
    ]);
  });

  it('adds mounts of the vehicle that the running release does not name', () => {
    const boot = {
      spec: 'UUID=boot',
      mountPoint: '/boot',
      type: 'ext4',
      options: 'defaults',
      dump: '0',
      pass: '2',
    };
    assert.deepEqual(pairs(rewriteFstab('', '', { ...plan, vehicle: [boot] })), [
      'UUID=new /',
      'UUID=boot /boot',
    ]);
    assert.ok(pairs(rewriteFstab('', active, { ...plan, vehicle: [boot] })).includes('UUID=bbbb /boot'));
  });

  it('leaves options of another file system and of subvolumes behind', () => {
    const onXfs = rewriteFstab('', active, { ...plan, rootType: 'xfs' });
    assert.equal(entriesOf(onXfs)[0]?.options, 'defaults');
    const btrfs = rewriteFstab('', 'UUID=a / btrfs subvol=@,compress=zstd 0 0', {
      ...plan,
      rootType: 'btrfs',
    });
    assert.equal(entriesOf(btrfs)[0]?.options, 'compress=zstd');
  });
});

describe('writing the fstab', () => {
  async function tree(t: TestContext): Promise<SlotTree> {
    const directory = await scratchDirectory(t);
    const [root, activeRoot] = [join(directory, 'standby'), join(directory, 'active')];
    await mkdir(root);
    await mkdir(join(activeRoot, 'etc'), { recursive: true });
    await writeFile(join(activeRoot, 'etc/fstab'), active);
    const device = {
      path: '/dev/none',
      disk: '/dev/none',
      partition: 3,
      sizeBytes: 0,
      number: '0:0',
      readOnly: false,
      filesystem: undefined,
      partUuid: '',
      partLabel: '',
      partType: '',
      otherContent: undefined,
    };
    return { slot: 'slot_b', root, activeRoot, device };
  }

  it('works on an image that brings none', async (t) => {
    const standby = await tree(t);
    await mkdir(join(standby.root, 'etc'));
    await installFstab(standby, plan);
    const text = await readFile(join(standby.root, 'etc/fstab'), 'utf8');
    assert.deepEqual(pairs(text), ['UUID=new /', 'UUID=bbbb /boot', 'UUID=CCCC /boot/efi']);
  });

  it('never follows a link of the image out of its tree', async (t) => {
    const standby = await tree(t);
    const outside = join(standby.activeRoot, 'outside');
    await writeFile(outside, 'untouched');
    await mkdir(join(standby.root, 'etc'));
    await symlink(outside, join(standby.root, 'etc/fstab'));
    await installFstab(standby, plan);
    assert.equal(await readFile(outside, 'utf8'), 'untouched');

    const linked = await tree(t);
    await symlink(join(linked.activeRoot, 'etc'), join(linked.root, 'etc'));
    await assert.rejects(installFstab(linked, plan), (error) => {
      assert.ok(error instanceof BootError);
      assert.equal(error.code, 'prepare_failed');
      return true;
    });
    assert.equal(await readFile(join(linked.activeRoot, 'etc/fstab'), 'utf8'), active);
  });
});
