/** Where the parts of an image lie below its base; existing generators use the same names. */
export const layoutNames = {
  directories: 'dirs.txt',
  symlinks: 'symlinks.txt',
  regulars: 'regulars.txt',
  persistents: 'persistents.txt',
  totalSize: 'total_regular_size.txt',
  /** Uncompressed files, each at its path. */
  plain: 'rootfs',
  /** Compressed contents, each as `<sha256 of the original>.zst`. */
  compressed: 'rootfs.zst',
  signed: 'metadata.jwt',
} as const;
