/** `liveOnce` as a process, to be killed: `boot-once DIRECTORY ACTION`. Ends with exit code 0 when it was not. */
import { type LifeAction, liveOnce } from './boot-life.ts';

const [directory = '', action = 'look'] = process.argv.slice(2);
await liveOnce(directory, action as LifeAction, () => {});
