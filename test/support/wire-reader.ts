// A process that reads one URL into a part file and tells its parent how far it is, to be killed on the way.

import { CountingMeter, never, quickSource } from './wire-source.ts';

const [url = '', part = ''] = process.argv.slice(2);
/** Told in steps of half a MiB. */
let position = 0;
await using source = quickSource(new URL(url));
const request = { url: new URL(url), maxBytes: 1e9, part };
for await (const chunk of source.read(request, new CountingMeter(), never)) {
  const before = position;
  position += chunk.length;
  if (position >> 19 !== before >> 19) process.send?.(position);
}
process.disconnect?.();
