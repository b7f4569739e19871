import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppendFile } from '#host/append-file.ts';

test('a file that cannot be cut off is closed all the same: its last piece is as after a power cut', async () => {
  // It can be opened to be written, but neither takes bytes nor can be cut off.
  const file = await AppendFile.reopen('/dev/full', 0);
  await assert.rejects(file.append('x'), { code: 'EINVAL', syscall: 'ftruncate' });
  await file[Symbol.asyncDispose]();
  await assert.rejects(file.append('x'), { code: 'EBADF' });
});
