/**
 * An ext4 file system as GRUB reads it: from the blocks where they lie, without the journal. What was committed to the journal and
 * not yet written to its place is not there for GRUB, although Linux, which replays the journal, sees it.
 */
export class Ext4View {
  readonly #bytes: Buffer;
  readonly #blockBytes: number;
  readonly #inodesPerGroup: number;
  readonly #inodeBytes: number;
  readonly #descriptorBytes: number;

  /** Errors: Error when it is no ext4 file system. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    const at = 1024;
    if (bytes.readUInt16LE(at + 0x38) !== 0xef53) throw new Error('there is no ext4 superblock');
    this.#blockBytes = 1024 << bytes.readUInt32LE(at + 0x18);
    this.#inodesPerGroup = bytes.readUInt32LE(at + 0x28);
    this.#inodeBytes = bytes.readUInt16LE(at + 0x58);
    const is64 = (bytes.readUInt32LE(at + 0x60) & 0x80) !== 0;
    this.#descriptorBytes = is64 ? bytes.readUInt16LE(at + 0xfe) : 32;
  }

  /** Content of a file; undefined when there is none. Follows no symbolic links. Errors: Error when it is damaged. */
  read(path: string): Buffer | undefined {
    const inode = this.#find(path);
    if (inode === undefined) return undefined;
    if ((inode.readUInt16LE(0) & 0xf000) !== 0x8000) throw new Error(`${path} is no file`);
    return this.#content(inode);
  }

  /** Where the first block of a file lies, and how many bytes of the file are in it. Errors: Error when there is none. */
  locate(path: string): { readonly at: number; readonly length: number } {
    const inode = this.#find(path);
    const node = inode?.subarray(0x28, 0x28 + 60);
    if (
      inode === undefined ||
      node === undefined ||
      node.readUInt16LE(0) !== 0xf30a ||
      node.readUInt16LE(6) > 0
    ) {
      throw new Error(`${path} has no first block`);
    }
    return {
      at: node.readUInt32LE(12 + 8) * this.#blockBytes,
      length: Math.min(this.#blockBytes, inode.readUInt32LE(4)),
    };
  }

  #find(path: string): Buffer | undefined {
    let inode = this.#inode(2);
    for (const name of path.split('/').filter((part) => part !== '')) {
      const number = this.#names(inode).get(name);
      if (number === undefined) return undefined;
      inode = this.#inode(number);
    }
    return inode;
  }

  #inode(number: number): Buffer {
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    const table = (this.#blockBytes === 1024 ? 2 : 1) * this.#blockBytes + group * this.#descriptorBytes;
    const low = this.#bytes.readUInt32LE(table + 8);
    const at = low * this.#blockBytes + ((number - 1) % this.#inodesPerGroup) * this.#inodeBytes;
    return this.#bytes.subarray(at, at + this.#inodeBytes);
  }

  #names(directory: Buffer): ReadonlyMap<string, number> {
    if ((directory.readUInt16LE(0) & 0xf000) !== 0x4000)
      throw new Error('a part of the path is no directory');
    const bytes = this.#content(directory);
    const names = new Map<string, number>();
    for (let at = 0; at + 8 <= bytes.length; ) {
      const inode = bytes.readUInt32LE(at);
      const length = bytes.readUInt16LE(at + 4);
      if (length < 8) throw new Error('a directory is damaged');
      const name = bytes.subarray(at + 8, at + 8 + bytes.readUInt8(at + 6)).toString('utf8');
      if (inode !== 0 && name !== '') names.set(name, inode);
      at += length;
    }
    return names;
  }

  #content(inode: Buffer): Buffer {
    const size = inode.readUInt32LE(4);
    if (size > this.#bytes.length) throw new Error('a file is larger than its file system');
    const content = Buffer.alloc(size);
    if ((inode.readUInt32LE(0x20) & 0x80000) === 0) throw new Error('a file has no extents');
    this.#extents(inode.subarray(0x28, 0x28 + 60), content);
    return content;
  }

  #extents(node: Buffer, content: Buffer): void {
    if (node.readUInt16LE(0) !== 0xf30a) throw new Error('extents of a file are damaged');
    const [count, depth] = [node.readUInt16LE(2), node.readUInt16LE(6)];
    for (let i = 0; i < count; i++) {
      const at = 12 + i * 12;
      if (depth > 0) {
        const block = node.readUInt32LE(at + 4) * this.#blockBytes;
        this.#extents(this.#bytes.subarray(block, block + this.#blockBytes), content);
        continue;
      }
      const length = node.readUInt16LE(at + 4);
      // Beyond 32768 it is a length of blocks that were reserved and never written: they read as zeros.
      if (length > 32768) continue;
      const from = node.readUInt32LE(at + 8) * this.#blockBytes;
      const data = this.#bytes.subarray(from, from + length * this.#blockBytes);
      data.copy(content, node.readUInt32LE(at) * this.#blockBytes);
    }
  }
}
