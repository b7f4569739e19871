#!/bin/sh
# An executable for boot control `command` (docs/operations.md, "An executable of your own"): EFI firmware that starts the
# kernel of a slot by itself, without any boot loader. Copy it to the ECU and name it:
#
#     bootloader: command                                  # ecu_info.yml
#     boot: { command: { path: /usr/lib/ota/boot-command } }    # ota.yml
#
# The firmware has a boot entry for each slot, called slot_a and slot_b, made once when the ECU is set up:
#
#     efibootmgr --create-only --disk /dev/sda --part 1 --label slot_a --loader '\EFI\slot_a\linux.efi' \
#       --unicode 'initrd=\EFI\slot_a\initrd.img root=PARTUUID=... ro panic=10'
#
# A try is BootNext, which the firmware deletes before it starts anything (UEFI 2.10, 3.3). The EFI system partition is
# mounted at /boot/efi, and holds a kernel and an initrd for each slot.
set -eu

entries=$(efibootmgr)

# The value of BootCurrent, BootOrder, BootNext; nothing where the firmware has none.
field() { printf '%s\n' "$entries" | sed -n "s/^$1: //p"; }

# What an entry is called.
label() { printf '%s\n' "$entries" | sed -n "s/^Boot$1[* ] *\([^[:space:]]*\).*/\1/p"; }

# The number of a slot's entry.
number() {
  found=$(printf '%s\n' "$entries" | sed -n "s/^Boot\([0-9A-Fa-f]\{4\}\)[* ] *$1\([[:space:]].*\)\{0,1\}\$/\1/p")
  case $found in
    ????) echo "$found" ;;
    '') echo "the firmware has no boot entry called $1; make one with efibootmgr --create-only" >&2; exit 1 ;;
    *) echo "the firmware has several boot entries called $1; remove all but one with efibootmgr" >&2; exit 1 ;;
  esac
}

# Over a file of the EFI system partition: all of the old or all of the new one, also after a power cut.
replace() {
  cp "$1" "$2.new"
  sync "$2.new"
  mv "$2.new" "$2"
}

case $1 in
  booted)
    label "$(field BootCurrent)"
    ;;
  state)
    order=$(field BootOrder)
    echo "default=$(label "${order%%,*}")"
    next=$(field BootNext)
    [ -z "$next" ] || echo "try=$(label "$next")"
    ;;
  install)
    kernel=$(printf '%s\n' "$3"/boot/vmlinuz-* | sort -V | tail -n 1)
    folder=$OTA_BOOT_DIRECTORY/efi/EFI/$2
    mkdir -p "$folder"
    replace "$kernel" "$folder/linux.efi"
    replace "$3/boot/initrd.img-${kernel##*/vmlinuz-}" "$folder/initrd.img"
    sync -f "$folder"
    ;;
  try)
    entry=$(number "$2")
    efibootmgr -q -n "$entry"
    ;;
  default)
    # The other slot is left out: where this one does not load, the firmware would go on with it, half written maybe.
    order=$(number "$2")
    for entry in $(field BootOrder | tr , ' '); do
      case $(label "$entry") in slot_a | slot_b) ;; *) order=$order,$entry ;; esac
    done
    efibootmgr -q -o "$order"
    [ -z "$(field BootNext)" ] || efibootmgr -q -N
    ;;
  *)
    echo "unknown verb $1" >&2
    exit 64
    ;;
esac
