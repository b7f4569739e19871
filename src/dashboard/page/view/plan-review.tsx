import { bytesText, countText, durationMs, spanText } from '#dashboard/page/words/units.ts';
import type { Amount, EcuPlan } from '#gen/ota/console/v1/types_pb.ts';
import { Icon } from './icons.tsx';

interface PlanReviewProps {
  readonly plans: readonly EcuPlan[] | undefined;
  readonly problem: string | undefined;
  readonly what: string;
}

/** What the update would do and cost, and who would refuse it. */
export function PlanReview({ plans, problem, what }: PlanReviewProps) {
  if (plans === undefined) {
    return (
      <div class="note note-wait">
        <Icon name="clock" />
        <div>
          <h3>No plan could be made</h3>
          <p>{problem}</p>
          <p class="quiet">
            The update of {what} may be started all the same; each ECU checks everything again.
          </p>
        </div>
      </div>
    );
  }
  const refusing = plans.filter(({ refusals }) => refusals.length > 0);
  const known = plans.filter(({ isKnown }) => isKnown);
  const download = known.reduce((sum, plan) => sum + (plan.download?.bytes ?? 0n), 0n);
  const longest = Math.max(0, ...known.map(({ duration }) => durationMs(duration) ?? 0));
  return (
    <>
      <p class="cost">
        <b>{bytesText(download)}</b> to download
        {longest > 0 && (
          <>
            , <b>about {spanText(longest)}</b> until the last ECU boots
          </>
        )}
        {known.length < plans.length && (
          <span class="quiet">
            {' '}
            — {plans.length - known.length} of {plans.length} tell no plan
          </span>
        )}
      </p>
      {refusing.map(({ ecuId, refusals }) => (
        <div key={ecuId} class="note note-bad">
          <Icon name="failed" />
          <div>
            <h3>
              <span class="mono">{ecuId}</span> would refuse this now
            </h3>
            <ul>
              {refusals.map((reason) => (
                <li key={reason}>{reason}</li>
              ))}
            </ul>
          </div>
        </div>
      ))}
      <div class="table-box" tabIndex={0} role="region" aria-label="Plan by ECU">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">ECU</th>
              <th scope="col" class="num">
                Copy
              </th>
              <th scope="col" class="num">
                Link
              </th>
              <th scope="col" class="num">
                Download
              </th>
              <th scope="col" class="num">
                Time
              </th>
              <th scope="col" class="num">
                Space
              </th>
            </tr>
          </thead>
          <tbody>
            {plans.map((plan) => (
              <PlanLine key={plan.ecuId} plan={plan} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function PlanLine({ plan }: { readonly plan: EcuPlan }) {
  const { ecuId, isKnown, copy, link, download, duration, neededBytes, availableBytes, unknownReason } = plan;
  if (!isKnown) {
    return (
      <tr>
        <th scope="row" class="mono">
          {ecuId}
        </th>
        <td colSpan={5} class="quiet">
          {unknownReason === '' ? 'tells no plan' : unknownReason}
        </td>
      </tr>
    );
  }
  const ms = durationMs(duration);
  return (
    <tr>
      <th scope="row" class="mono">
        {ecuId}
      </th>
      <td class="num">{amountText(copy)}</td>
      <td class="num">{amountText(link)}</td>
      <td class="num">{amountText(download)}</td>
      <td class="num">{ms === undefined ? '—' : spanText(ms)}</td>
      <td class={neededBytes > availableBytes && availableBytes > 0n ? 'num warn' : 'num'}>
        {neededBytes === 0n
          ? '—'
          : `${bytesText(neededBytes)}${availableBytes === 0n ? '' : ` of ${bytesText(availableBytes)}`}`}
      </td>
    </tr>
  );
}

function amountText(amount: Amount | undefined): string {
  return amount === undefined ? '—' : `${bytesText(amount.bytes)} (${countText(amount.files)})`;
}
