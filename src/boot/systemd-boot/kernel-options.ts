/** Set by boot loaders, or by us. */
const replaced = /^(?:root|BOOT_IMAGE|initrd)=/;

/**
 * The kernel command line of a slot: that of the running release, or of the image where it brings one, with the root
 * of the slot, and with what the options add. Words keep their order; what is there is not added again.
 */
export function kernelOptions(base: string, root: string, added: string): string {
  const words = base.split(/\s+/).filter((word) => word !== '' && !replaced.test(word));
  const keys = new Set(words.map(keyOf));
  const more = added.split(/\s+/).filter((word) => word !== '' && !keys.has(keyOf(word)));
  return [`root=${root}`, ...words, ...more].join(' ');
}

function keyOf(word: string): string {
  return word.split('=', 1)[0] ?? word;
}
