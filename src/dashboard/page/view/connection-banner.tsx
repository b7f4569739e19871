import { second } from '#dashboard/page/model/clock.ts';
import { connection } from '#dashboard/page/model/connection.ts';
import { tryNow } from '#dashboard/page/model/retry.ts';
import { momentText } from '#dashboard/page/words/units.ts';
import { Icon } from './icons.tsx';

/** Says that what is shown is old, and what is done about it. */
export function ConnectionBanner() {
  const now = connection.value;
  if (now.kind !== 'lost') return null;
  const seconds = Math.ceil((now.nextMs - second.value) / 1000);
  return (
    <section class="banner" aria-label="Connection">
      <Icon name="silent" />
      <p>
        <b>Not connected.</b> What you see is from {momentText(now.sinceMs)}. {now.why}{' '}
        <span class="quiet">{seconds > 0 ? `Trying again in ${seconds} s.` : 'Trying again…'}</span>
      </p>
      <button type="button" class="button" onClick={tryNow}>
        Try now
      </button>
    </section>
  );
}
