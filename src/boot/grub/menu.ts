import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';

/** What one menu entry boots. Paths are those of the boot partition, as GRUB sees it. */
export interface MenuEntry {
  readonly kernel: string;
  readonly initrds: readonly string[];
  readonly arguments: readonly string[];
}

/** What existing clients call the slots in menus, in the environment block and in `slot_in_use`. */
export const slotNames = { slot_a: 'ota-slot_a', slot_b: 'ota-slot_b' } as const;

export function slotCalled(name: string | undefined): SlotId | undefined {
  return slotIds.find((slot) => slotNames[slot] === name);
}

const marker = '# Boot menu of the OTA client, format 1.';

/** Whether a grub.cfg was written by us. */
export function isOwnMenu(text: string): boolean {
  return text.startsWith(`${marker}\n`);
}

/** Whether a grub.cfg shows the entries of both slots, ours or that of an existing client. */
export function showsSlots(text: string): boolean {
  return isOwnMenu(text) || slotIds.every((slot) => text.includes(slotMenuName(slot)));
}

/** Name of the file that holds the entry of a slot; existing clients use the same. */
export function slotMenuName(slot: SlotId): string {
  return `${slotNames[slot]}.cfg`;
}

/** Name of the file that says which slot is the default if the environment block cannot be read. */
export const defaultMenuName = 'ota-default.cfg';

export function formatDefaultMenu(slot: SlotId): string {
  return `set ota_default=${slot}\n`;
}

/**
 * `grub.cfg`. The entry that is meant comes first and the other one second, so that numbers choose them (GRUB 2.02 takes
 * nothing else for `fallback`), and a slot without a readable entry leaves the other one in its place. A one-shot choice
 * is taken out of the environment block before anything is loaded. Entries of existing clients call functions that
 * their own grub.cfg brought.
 */
export function formatMenu(kept: readonly string[]): string {
  return `${[
    marker,
    '# Written at every start of the daemon; what is changed here is lost.',
    ...kept,
    'set timeout_style=menu',
    'set timeout=0',
    'set ota_default=slot_a',
    'set saved_entry=',
    'set next_entry=',
    `if [ -s $prefix/${defaultMenuName} ]; then`,
    `  source $prefix/${defaultMenuName}`,
    'fi',
    'if [ -s $prefix/grubenv ]; then',
    '  load_env saved_entry next_entry',
    'fi',
    ...chosen('saved_entry', 'ota_default'),
    'set ota_first="$ota_default"',
    'if [ -n "$next_entry" ]; then',
    '  set ota_next="$next_entry"',
    '  set next_entry=',
    // A choice that cannot be taken out would be tried for ever: it is not tried at all.
    '  if save_env next_entry; then',
    ...chosen('ota_next', 'ota_first').map((line) => `    ${line}`),
    '  fi',
    'fi',
    'set menuentry_id_option="--id"',
    'function load_video {',
    '  if [ "$feature_all_video_module" = y ]; then',
    '    insmod all_video',
    '  else',
    '    insmod efi_gop',
    '    insmod vbe',
    '  fi',
    '}',
    'function gfxmode {',
    '  set gfxpayload="$1"',
    '}',
    'function recordfail {',
    '  true',
    '}',
    'function savedefault {',
    '  true',
    '}',
    'export menuentry_id_option',
    'set default=0',
    'set fallback=1',
    'if [ "$ota_first" = slot_b ]; then',
    '  set ota_second=slot_a',
    'else',
    '  set ota_second=slot_b',
    'fi',
    // Existing clients look for these names in a menu: both are written out.
    `# ${slotIds.map(slotMenuName).join(' ')}`,
    'for ota_slot in "$ota_first" "$ota_second"; do',
    '  if [ -s $prefix/ota-$ota_slot.cfg ]; then',
    '    source $prefix/ota-$ota_slot.cfg',
    '  fi',
    'done',
  ].join('\n')}\n`;
}

/** Lines that set a variable to the slot which another one names, if it does. */
function chosen(from: string, to: string): readonly string[] {
  return slotIds.flatMap((slot) => [
    `if [ "$${from}" = ${slotNames[slot]} ]; then`,
    `  set ${to}=${slot}`,
    'fi',
  ]);
}

/**
 * The entry of one slot. Files that are missing are found out before a kernel is loaded: an entry that loads nothing
 * makes GRUB take the other slot at once, while a kernel without its initrd would panic.
 */
export function formatSlotMenu(slot: SlotId, entry: MenuEntry, bootUuid: string): string {
  const files = [entry.kernel, ...entry.initrds];
  return `${[
    `menuentry '${slotNames[slot]}' --id '${slotNames[slot]}' --unrestricted {`,
    '  load_video',
    '  set gfxpayload=keep',
    '  insmod part_msdos',
    '  insmod part_gpt',
    '  insmod ext2',
    `  search --no-floppy --fs-uuid --set=root ${bootUuid}`,
    `  if [ ${files.map((path) => `-s ${grubWord(path)}`).join(' -a ')} ]; then`,
    `    linux ${[entry.kernel, ...entry.arguments].map(grubWord).join(' ')}`,
    `    initrd ${entry.initrds.map(grubWord).join(' ')}`,
    '  else',
    `    echo 'The kernel of ${slot} is missing.'`,
    '  fi',
    '}',
  ].join('\n')}\n`;
}

/** Lines of another grub.cfg that ours must have too: a serial console, and a password for the command line. */
export function keptLines(text: string): readonly string[] {
  const serial = /^\s*serial(?:\s|$)/m.test(text);
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(
      (line) =>
        /^(?:set superusers=|export superusers$|password(?:_pbkdf2)?\s)/.test(line) ||
        (serial && /^(?:serial(?:\s|$)|terminal_(?:in|out)put\s.*\bserial)/.test(line)),
    )
    .filter((line, index, lines) => lines.indexOf(line) === index);
}

/** Menu entries of a grub.cfg that boot Linux, in their order, those in submenus included. */
export function parseMenu(text: string): readonly MenuEntry[] {
  const found: MenuEntry[] = [];
  let kernel: Pick<MenuEntry, 'kernel' | 'arguments'> | undefined;
  for (const line of text.split('\n')) {
    const [command = '', first, ...rest] = grubWords(line);
    if (command === 'menuentry') {
      kernel = undefined;
    } else if (/^linux(?:16|efi)?$/.test(command) && first !== undefined) {
      kernel = { kernel: first, arguments: rest };
    } else if (/^initrd(?:16|efi)?$/.test(command) && first !== undefined && kernel !== undefined) {
      found.push({ ...kernel, initrds: [first, ...rest] });
      kernel = undefined;
    }
  }
  return found;
}

/** Words of one line of a GRUB script. Variables stay as they are written: entries for Linux need none of them. */
function grubWords(line: string): readonly string[] {
  const words = line.trim().match(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return words
    .map((word) =>
      word.replace(
        /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g,
        (_, literal?: string, quoted?: string, escaped?: string) => {
          return literal ?? escaped ?? (quoted ?? '').replace(/\\(["\\$])/g, '$1');
        },
      ),
    )
    .filter((word) => word !== '$vt_handoff' && word !== '');
}

/** One word of a GRUB script, quoted where it has to be. */
function grubWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
