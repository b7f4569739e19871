import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

// Loaded before a daemon of the demo (`node --import`). File descriptor 3 is one end of a pipe whose other end only the
// supervisor holds: however that one ends, kill -9 included, the pipe closes and the daemon ends with it.

const pipeDescriptor = 3;

if (isMainThread) {
  const lifeline = new Socket({ fd: pipeDescriptor, readable: true, writable: false });
  lifeline.on('close', () => process.exit(1)).on('error', () => {});
  lifeline.resume().unref();
}
