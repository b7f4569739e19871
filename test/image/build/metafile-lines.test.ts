import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkPersistent,
  directoryLine,
  pathProblem,
  persistentLine,
  regularLine,
  symlinkLine,
  symlinkProblem,
} from '#image/build/metafile-lines.ts';
import { ImageError } from '#image/image-error.ts';
import {
  parseDirectoryLine,
  parsePersistentLine,
  parseRegularLine,
  parseSymlinkLine,
} from '#image/legacy/metafiles.ts';
import { sha256 } from '../../support/signed-image.ts';

/** Every text of up to `length` letters. */
function* texts(letters: string, length: number): Generator<string> {
  yield '';
  if (length === 0) return;
  for (const rest of texts(letters, length - 1)) for (const letter of letters) yield letter + rest;
}

/** Where existing clients part link and target: greedy up to the last `','` that follows on no quote. */
function splitAsExistingClients(line: string): [link: string, target: string] | undefined {
  for (let at = line.lastIndexOf("','"); at > 0; at = line.lastIndexOf("','", at - 1)) {
    const [link, rest] = [line.slice("0777,0,0,'".length, at), line.slice(at + 3)];
    if (link === '' || link.endsWith("'") || rest.length < 2 || !rest.includes("'", 1)) continue;
    const target = rest.slice(0, rest.lastIndexOf("'"));
    return [link.replaceAll("'\\''", "'"), target.replaceAll("'\\''", "'")];
  }
  return undefined;
}

describe('lines of the metadata files', () => {
  it('are what existing generators write', () => {
    const file = {
      mode: 0o4755,
      uid: 0,
      gid: 1000,
      nlink: 1,
      sha256: sha256('x'),
      size: 1,
      compressed: false,
    };
    assert.equal(directoryLine('/tmp', 0o1777, 0, 0), "1777,0,0,'/tmp'");
    assert.equal(directoryLine("/it's", 0o40755, 1, 2), "0755,1,2,'/it'\\''s'");
    assert.equal(symlinkLine('/bin', 'usr/bin', 0, 0), "0777,0,0,'/bin','usr/bin'");
    assert.equal(
      regularLine({ ...file, path: '/a', inode: undefined }),
      `4755,0,1000,1,${sha256('x')},'/a',1,,`,
    );
    assert.equal(
      regularLine({ ...file, path: '/a', mode: 0o7, nlink: 2, inode: 3, compressed: true }),
      `0007,0,1000,2,${sha256('x')},'/a',1,3,zst`,
    );
    assert.equal(persistentLine('/etc/hosts'), "'/etc/hosts'");
  });

  it('are read back as they were meant, whatever quotes, commas and backslashes are in a path', () => {
    for (const text of texts("',\\a", 5)) {
      const path = `/${text}x`;
      assert.equal(parseDirectoryLine(directoryLine(path, 0o755, 1, 2)).path, path);
      const line = regularLine({
        path,
        mode: 0o644,
        uid: 1,
        gid: 2,
        nlink: 2,
        sha256: sha256(path),
        size: 7,
        inode: 9,
        compressed: true,
      });
      assert.deepEqual(
        { ...parseRegularLine(line), compression: undefined },
        {
          path,
          mode: 0o644,
          uid: 1,
          gid: 2,
          sha256: sha256(path),
          size: 7,
          inode: '9',
          compressed: true,
          compression: undefined,
        },
      );
      assert.equal(parsePersistentLine(persistentLine(path)), path);
    }
  });

  it('of symlinks are refused exactly where existing clients would read something else', () => {
    let refused = 0;
    const meanings = [...texts("',a", 3)];
    for (const name of meanings) {
      if (name === '') continue;
      for (const target of meanings) {
        const path = `/${name}`;
        const line = symlinkLine(path, target, 0, 0);
        const split = splitAsExistingClients(line);
        const right = split?.[0] === path && split[1] === target;
        assert.equal(symlinkProblem(path, target) === undefined, right, line);
        if (!right) refused += 1;
        else assert.deepEqual({ ...parseSymlinkLine(line) }, { path, target, uid: 0, gid: 0 });
      }
    }
    assert.ok(refused > 100, `only ${refused} refused`);
    assert.match(symlinkProblem("/ends-in-quote'", 'x') ?? '', /quotes or commas/);
    assert.match(symlinkProblem('/x', ",'target") ?? '', /quotes or commas/);
    assert.equal(symlinkProblem("/it's, here", "there',"), undefined);
  });
});

describe('pathProblem', () => {
  it('is about line breaks and what readers refuse, and nothing else', () => {
    assert.match(pathProblem('/a\nb') ?? '', /line break/);
    assert.match(pathProblem('/a\rb') ?? '', /line break/);
    assert.match(pathProblem(`/${'x'.repeat(256)}`) ?? '', /255 bytes/);
    assert.match(pathProblem('/\ud800') ?? '', /Unicode/);
    assert.equal(pathProblem(`/${'é'.repeat(127)}`), undefined);
    assert.equal(pathProblem("/a'b\t,\\\u2028\u0085 "), undefined);
  });
});

describe('checkPersistent', () => {
  it('refuses what existing clients would misread', () => {
    checkPersistent('/etc/netplan');
    checkPersistent('/etc/with space, comma');
    for (const path of ["/it's", '/a\nb', 'etc/hosts', '/a/../b', '/a/', '/']) {
      assert.throws(
        () => checkPersistent(path),
        (error) => error instanceof ImageError && error.code === 'options_invalid',
        path,
      );
    }
  });
});
