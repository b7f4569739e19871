import type { EcuAnswer } from '#gen/ota/console/v1/types_pb.ts';
import { Icon } from './icons.tsx';

/** What the ECUs said to a request, refusals first. */
export function Answers({
  answers,
  done,
}: {
  readonly answers: readonly EcuAnswer[];
  readonly done: string;
}) {
  const refused = answers.filter(({ accepted }) => !accepted);
  const accepted = answers.filter((answer) => answer.accepted);
  return (
    <div role="status">
      {accepted.length > 0 && (
        <div class="note note-good">
          <Icon name="ok" />
          <p>
            <b>{done}</b> <span class="mono">{accepted.map(({ ecuId }) => ecuId).join(', ')}</span>
          </p>
        </div>
      )}
      {refused.map(({ ecuId, message, recoverable }) => (
        <div key={ecuId} class="note note-bad">
          <Icon name="failed" />
          <div>
            <h3>
              <span class="mono">{ecuId}</span> refused{' '}
              <span class="tag">{recoverable ? 'may work later' : 'needs a change'}</span>
            </h3>
            <p>{message === '' ? 'It gives no reason.' : message}</p>
          </div>
        </div>
      ))}
      {answers.length === 0 && <p class="problem">No ECU answered.</p>}
    </div>
  );
}
