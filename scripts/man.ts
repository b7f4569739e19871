import { join } from 'node:path';
import { sourceDate } from './package/reproducible.ts';
import { writeShare } from './package/share.ts';

// `npm run man`: the manual page of ota and the completion scripts of shells, as the package has them below share/.

const root = join(import.meta.dirname, '..');
const share = await writeShare(root, join(root, '.cache/share'), await sourceDate(root));
process.stdout.write(`${join(share, 'man/man1/ota.1')}\n`);
