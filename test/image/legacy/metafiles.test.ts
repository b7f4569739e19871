import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ImageError } from '#image/image-error.ts';
import {
  parseDirectoryLine,
  parsePersistentLine,
  parseRegularLine,
  parseSymlinkLine,
} from '#image/legacy/metafiles.ts';
import { quoted, regularLine, sha256 } from '../../support/signed-image.ts';

/** Names that the format can carry and that are easily misread. */
const names = [
  '/plain',
  "/it's",
  "/ends in a quote'",
  "/'",
  "/''",
  "/a','b",
  "/a',",
  "/,'b",
  '/back\\slash\\',
  "/'\\''",
  "/\\'",
  '/ spaces  and\ttabs ',
  '/comma,comma,,',
  '/#?%"$(x)`*[a-z]',
  '/ünïcödé/日本語/😀',
  "/'\\'','\\''",
];

function refuses(parse: (line: string) => unknown, lines: readonly string[]): void {
  for (const line of lines) {
    assert.throws(
      () => parse(line),
      (error) => error instanceof ImageError && error.code === 'metadata_malformed',
      line,
    );
  }
}

describe('parseDirectoryLine', () => {
  it('reads mode, owner and every properly escaped path', () => {
    for (const path of names) {
      const found = parseDirectoryLine(`1777,0,4294967294,${quoted(path)}`);
      assert.deepEqual(found, { mode: 0o1777, uid: 0, gid: 4294967294, path });
    }
  });

  it('reads a path whose quotes were not escaped up to the last quote', () => {
    assert.equal(parseDirectoryLine("0755,0,0,'/it's'").path, "/it's");
  });

  it('refuses what is not mode,uid,gid,path', () => {
    refuses(parseDirectoryLine, ['', '0755', "0755,0,'/a'", "0855,0,0,'/a'", "10000,0,0,'/a'", ",0,0,'/a'"]);
    refuses(parseDirectoryLine, [
      "0755,-1,0,'/a'",
      "0755,4294967295,0,'/a'",
      "0755,0,0x1,'/a'",
      "0755, 0,0,'/a'",
    ]);
    refuses(parseDirectoryLine, ['0755,0,0,/a', "0755,0,0,'", "0755,0,0,'/a", "0755,0,0,'/a'b", '0755,0,0,']);
  });
});

describe('parseSymlinkLine', () => {
  it('reads every pair of properly escaped path and target', () => {
    for (const path of names) {
      for (const target of names) {
        const found = parseSymlinkLine(`0777,1,2,${quoted(path)},${quoted(target)}`);
        assert.deepEqual(found, { uid: 1, gid: 2, path, target });
      }
    }
  });

  it('splits unescaped text where existing clients do', () => {
    const split = (line: string): [string, string] => {
      const { path, target } = parseSymlinkLine(`0777,0,0,${line}`);
      return [path, target];
    };
    assert.deepEqual(split("'/it's','there'"), ["/it's", 'there']);
    assert.deepEqual(split("'/there','it's'"), ['/there', "it's"]);
    assert.deepEqual(split("'/a','b','it's'"), ["/a','b", "it's"], 'the last split counts');
    assert.deepEqual(split("'/it's','b'','c'"), ["/it's", "b'','c"], 'but not behind a quote');
  });

  it('refuses what is not mode,uid,gid,path,target', () => {
    refuses(parseSymlinkLine, ["0777,0,0,'/a'", "0777,0,0,'/a','b", "0777,0,0,'/a',b", "0777,0,0,'/a' 'b'"]);
    refuses(parseSymlinkLine, ["0777,0,0,'','b' ", "0777,0,0,','", "0777,0,0,'/a','b',"]);
  });
});

describe('parseRegularLine', () => {
  it('reads every properly escaped path, in all four revisions of the format', () => {
    for (const path of names) {
      const head = { mode: 0o644, uid: 0, gid: 0, sha256: sha256('x'), path };
      const none = { size: undefined, inode: undefined, compressed: false, compression: undefined };
      assert.deepEqual(parseRegularLine(regularLine(path, 'x', '')), { ...head, ...none });
      assert.deepEqual(parseRegularLine(regularLine(path, 'x', ',7')), { ...head, ...none, size: 7 });
      const linked = { ...head, ...none, size: 7, inode: '18446744073709551615' };
      assert.deepEqual(parseRegularLine(regularLine(path, 'x', ',7,18446744073709551615')), linked);
      const packed = { ...linked, compressed: true, compression: 'zst' };
      assert.deepEqual(parseRegularLine(regularLine(path, 'x', ',7,18446744073709551615,zst')), packed);
    }
  });

  it('reads empty fields as not told', () => {
    for (const tail of [',', ',,', ',,,']) {
      const { size, inode, compressed } = parseRegularLine(regularLine('/a', 'x', tail));
      assert.deepEqual([size, inode, compressed], [undefined, undefined, false]);
    }
    assert.equal(parseRegularLine(regularLine('/a', 'x', ',0,,')).size, 0);
    assert.equal(parseRegularLine(regularLine('/a', 'x', ',9,,zstd')).compression, 'zstd');
  });

  it('reads setuid, setgid and sticky, and upper-case digests', () => {
    const line = `6755,33,44,2,${sha256('x').toUpperCase()},'/bin/su',1,9,`;
    const { mode, uid, gid, sha256: digest } = parseRegularLine(line);
    assert.deepEqual([mode, uid, gid, digest], [0o6755, 33, 44, sha256('x')]);
  });

  it('reads a path whose quotes were not escaped up to the last quote', () => {
    const line = `0644,0,0,1,${sha256('x')},'/it's, isn't it',5,,`;
    assert.equal(parseRegularLine(line).path, "/it's, isn't it");
  });

  it('refuses other fields and tails', () => {
    const head = `0644,0,0,1,${sha256('x')}`;
    refuses(parseRegularLine, [head, `${head},`, `${head},'`, `${head},/a,1,,`, `${head},'/a'1,,`]);
    refuses(parseRegularLine, [
      `${head},'/a',-1,,`,
      `${head},'/a',1e3,,`,
      `${head},'/a',1,x,`,
      `${head},'/a',1,,gz`,
    ]);
    refuses(parseRegularLine, [
      `${head},'/a',1,,zst,`,
      `${head},'/a',9007199254740993,,`,
      `${head},'/a','b',1,,x`,
    ]);
    refuses(parseRegularLine, ["0644,0,0,1,abc,'/a',1,,", `0644,0,0,${sha256('x')},'/a',1,,`]);
    refuses(parseRegularLine, [`0644,0,0,1,${'g'.repeat(64)},'/a',1,,`]);
  });
});

describe('parsePersistentLine', () => {
  it('reads one quoted path', () => {
    for (const path of names) assert.equal(parsePersistentLine(quoted(path)), path);
    refuses(parsePersistentLine, ['/etc/hosts', "'/etc/hosts", "'", '', "/etc/hosts'"]);
  });
});
