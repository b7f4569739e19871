import { join } from 'node:path';
import type { LoadedConfig } from '#config/load.ts';
import type { Log } from '#domain/log.ts';
import { EventJournal } from '#ecu/events/event-journal.ts';

/** Opens the journal of events, puts it on `stack`, and writes down that this daemon starts and, later, that it ends. */
export async function openJournal(
  stack: AsyncDisposableStack,
  { options, problem }: Pick<LoadedConfig, 'options' | 'problem'>,
  version: string,
  log: Log,
): Promise<EventJournal> {
  const journal = stack.use(
    await EventJournal.open({
      // With a broken configuration nobody holds the lock of the state directory.
      directory: problem === undefined ? join(options.state.directory, 'events') : undefined,
      maxBytes: options.console.journalBytes,
      log,
    }),
  );
  const before = journal.endedInOrder ? '' : '; the one before did not end in order';
  journal.note({
    kind: 'daemon',
    text: `the daemon starts, version ${version}${before}`,
    details: { daemon: 'starts', version, ended_in_order: String(journal.endedInOrder) },
  });
  stack.defer(() => journal.note({ kind: 'daemon', text: 'the daemon ends', details: { daemon: 'ends' } }));
  return journal;
}
