import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import {
  formatDefaultMenu,
  formatMenu,
  formatSlotMenu,
  isOwnMenu,
  keptLines,
  parseMenu,
  showsSlots,
} from '#boot/grub/menu.ts';
import { missingPrograms } from '../../support/missing-programs.ts';

const checker = missingPrograms('grub-script-check');
const entry = {
  kernel: '/ota-slot_a/vmlinuz-6.1.0',
  initrds: ['/ota-slot_a/microcode.cpio', '/ota-slot_a/initrd.img-6.1.0'],
  arguments: ['root=UUID=11-22', 'ro', 'console=ttyS0,115200', 'odd=\'x\' $y; "z" {a}'],
};
const slotMenu = formatSlotMenu('slot_a', entry, 'aa-bb');

function check(script: string): void {
  execFileSync('grub-script-check', { input: script, stdio: 'pipe' });
}

describe('boot menu', () => {
  it('is a script that GRUB understands', { skip: checker }, () => {
    check(formatMenu(['serial --unit=0 --speed=115200', 'terminal_input serial']));
    check(slotMenu);
    check(formatDefaultMenu('slot_b'));
    assert.throws(() => check(`${slotMenu}{`));
  });

  it('reads back the entry of a slot with every file and word', () => {
    assert.deepEqual(parseMenu(slotMenu), [entry]);
    assert.match(slotMenu, /^menuentry 'ota-slot_a' --id 'ota-slot_a' /);
  });

  it('is known again as ours, and as one that shows slots', () => {
    assert.ok(isOwnMenu(formatMenu([])));
    assert.ok(showsSlots('source "${prefix}/ota-slot_a.cfg"\nsource "${prefix}/ota-slot_b.cfg"\n'));
    assert.ok(!showsSlots("menuentry 'Debian' { linux /vmlinuz }"));
    assert.ok(!isOwnMenu("menuentry 'Debian' { linux /vmlinuz }"));
  });

  it('keeps a serial console and a password of the menu before, and keeps them again', () => {
    const before = [
      'set timeout=5',
      '  serial --speed=115200 --unit=0',
      'terminal_input console serial',
      'terminal_output gfxterm',
      'terminal_output serial',
      'set superusers="root"',
      'password_pbkdf2 root grub.pbkdf2.sha512.1.2.3',
    ].join('\n');
    const kept = keptLines(before);
    assert.deepEqual(kept, [
      'serial --speed=115200 --unit=0',
      'terminal_input console serial',
      'terminal_output serial',
      'set superusers="root"',
      'password_pbkdf2 root grub.pbkdf2.sha512.1.2.3',
    ]);
    assert.deepEqual(keptLines(formatMenu(kept)), kept);
    assert.deepEqual(keptLines('terminal_input console\nterminal_output gfxterm\n'), []);
  });

  it('understands what grub-mkconfig writes', () => {
    const menu = [
      "menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-11' {",
      '\trecordfail',
      '\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi',
      "\techo\t'Loading Linux 6.1.0-10-amd64 ...'",
      '\tlinux\t/vmlinuz-6.1.0-10-amd64 root=UUID=11 ro  quiet splash $vt_handoff',
      '\tinitrd\t/microcode.cpio /initrd.img-6.1.0-10-amd64',
      '}',
      "submenu 'Advanced options' {",
      "\tmenuentry 'Debian, without initrd' {",
      '\t\tlinux /vmlinuz-broken root=UUID=11',
      '\t}',
      "\tmenuentry 'Debian (recovery mode)' {",
      '\t\tlinuxefi /vmlinuz-6.1.0-9-amd64 root=UUID=11 ro single',
      '\t\tinitrdefi /initrd.img-6.1.0-9-amd64',
      '\t}',
      '}',
    ].join('\n');
    assert.deepEqual(parseMenu(menu), [
      {
        kernel: '/vmlinuz-6.1.0-10-amd64',
        initrds: ['/microcode.cpio', '/initrd.img-6.1.0-10-amd64'],
        arguments: ['root=UUID=11', 'ro', 'quiet', 'splash'],
      },
      {
        kernel: '/vmlinuz-6.1.0-9-amd64',
        initrds: ['/initrd.img-6.1.0-9-amd64'],
        arguments: ['root=UUID=11', 'ro', 'single'],
      },
    ]);
  });
});
