import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import type { LoaderKind } from '#boot/boot-loader.ts';
import { chooseControl } from '#boot/choose-control.ts';
import { loaders } from '#boot/loaders.ts';
import type { Bootloader } from '#config/ecu-info.ts';
import { parseEcuInfo } from '#config/ecu-info.ts';
import { loaderSetting } from '../support/loader-setting.ts';

const setting = loaderSetting('/nowhere');

/** A loader that is found for this reason, or not, or whose look for it fails. */
function kind(name: string, reason?: string | Error): LoaderKind {
  return {
    name,
    detect: async () => {
      if (reason instanceof Error) throw reason;
      return reason === undefined ? undefined : { reason };
    },
    open: () => Promise.reject(new Error('unused')),
  };
}

function choose(
  bootloader: Bootloader,
  kinds: readonly LoaderKind[],
  prepared?: string,
  configured?: string,
) {
  return chooseControl({ bootloader, setting, kinds, directory: { prepared, configured } });
}

describe('the boot control', () => {
  it('is the one that is named, whatever else is found', async () => {
    const kinds = [kind('grub', 'grub is here'), kind('u-boot')];
    const choice = await choose('u-boot', kinds);
    assert.ok(choice.kind === 'loader');
    assert.deepEqual([choice.loader.name, choice.reason], ['u-boot', 'ecu_info.yml names it']);
    assert.equal((await choose('directory', kinds)).kind, 'directory');
  });

  it('is the first that is found, and the reason tells of others', async () => {
    const kinds = [kind('a', new Error('broken')), kind('b'), kind('c', 'c is here'), kind('d', 'd too')];
    const choice = await choose('auto_detect', kinds, 'slots are there');
    assert.ok(choice.kind === 'loader');
    assert.equal(choice.loader.name, 'c');
    assert.equal(choice.reason, 'found: c is here; also found, but looked for later: d (d too)');
  });

  it('is directories where they are meant and no loader is found', async () => {
    const choice = await choose('auto_detect', [kind('a')], '/slots is there');
    assert.deepEqual(choice, { kind: 'directory', reason: '/slots is there, no boot loader was found' });
  });

  it('is directories where they are configured, also on a machine that has a boot loader', async () => {
    const choice = await choose('auto_detect', [kind('grub', 'grub is here')], 'unused', 'it is set');
    assert.deepEqual(choice, { kind: 'directory', reason: 'it is set' });
  });

  it('is refused when nothing is found, with what came close', async () => {
    await assert.rejects(choose('auto_detect', [kind('a', new Error('slot_b is missing'))]), (error) => {
      assert.ok(error instanceof BootError);
      assert.equal(error.code, 'startup_failed');
      assert.match(error.message, /no boot control was found; name one .*; not taken: a: slot_b is missing/);
      return true;
    });
  });
});

it('every boot loader can be named in ecu_info.yml', () => {
  for (const { name } of loaders) {
    const result = parseEcuInfo(`ecu_id: a\nbootloader: ${name}\n`, 'ecu_info.yml');
    assert.ok(result.ok, name);
    assert.equal(result.ecuInfo.bootloader, name);
  }
});
