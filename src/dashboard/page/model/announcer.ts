import { signal } from '@preact/signals';
import { stateText } from '#dashboard/page/words/states.ts';
import { Reachability } from '#gen/ota/console/v1/types_pb.ts';
import { second } from './clock.ts';
import { connection } from './connection.ts';
import type { EcuView } from './job.ts';
import { allNow } from './vehicle.ts';

/** What a screen reader says: changes that matter, not every percent. */
export const announcement = signal('');

let before = new Map<string, string>();

second.subscribe(() => {
  const now = new Map(allNow().map((view) => [view.ecu.ecuId, wordsOf(view)]));
  const changed = before.size === 0 ? [] : [...now].filter(([id, words]) => before.get(id) !== words);
  before = now;
  if (changed.length === 0) return;
  announcement.value =
    changed.length > 4
      ? `${changed.length} ECUs changed`
      : changed.map(([id, words]) => `${id}: ${words}`).join('. ');
});

connection.subscribe(({ kind }) => {
  if (kind === 'lost') announcement.value = 'Connection to the vehicle lost, connecting again';
  else if (kind === 'live') announcement.value = 'Connected to the vehicle';
});

function wordsOf({ ecu, category }: EcuView): string {
  if (ecu.reachability === Reachability.NEVER_SEEN) return 'never seen';
  return category === 'silent' ? 'silent' : stateText(ecu.state);
}
