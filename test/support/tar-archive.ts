const blockBytes = 512;

/** One entry of an archive, down to the bytes of its name. */
export interface TarEntry {
  readonly name: string | Buffer;
  /** Type flag of POSIX ustar and its extensions; a regular file unless told otherwise. */
  readonly type?: '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | 'L' | 'K' | 'x' | 'S' | 'V';
  readonly content?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly linkname?: string | Buffer;
  readonly device?: readonly [major: number, minor: number];
  /** Records of a PAX header before the entry. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
}

/** An archive as tar programs write it, two zero blocks at its end included. */
export function tarArchive(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(2 * blockBytes)]);
}

/** The blocks of one entry. */
export function tarEntry(entry: TarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const before =
    entry.pax === undefined ? [] : [tarEntry({ name: 'pax', type: 'x', content: paxRecords(entry.pax) })];
  return Buffer.concat([...before, header(entry, content.length), padded(content)]);
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => {
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  };
  Buffer.from(entry.name as string).copy(block, 0, 0, 100);
  octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 100, 7);
  octal(entry.uid ?? 0, 108, 7);
  octal(entry.gid ?? 0, 116, 7);
  octal(size, 124, 11);
  octal(0, 136, 11);
  block.write(entry.type ?? '0', 156, 'latin1');
  Buffer.from((entry.linkname ?? '') as string).copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  octal(entry.device?.[0] ?? 0, 329, 7);
  octal(entry.device?.[1] ?? 0, 337, 7);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function paxRecords(records: Readonly<Record<string, string | Buffer>>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')]);
      let length = body.length;
      // The length counts its own digits.
      while (String(length).length + body.length !== length) length = String(length).length + body.length;
      return Buffer.concat([Buffer.from(String(length)), body]);
    }),
  );
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes)]);
}
