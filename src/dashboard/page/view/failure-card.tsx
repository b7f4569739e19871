import { type Failure, OtaState } from '#gen/ota/console/v1/types_pb.ts';
import { Icon } from './icons.tsx';

interface FailureCardProps {
  readonly failure: Failure;
  readonly state: OtaState;
}

/** A failure in words, and what can be done. */
export function FailureCard({ failure, state }: FailureCardProps) {
  const { code, reason, recoverable, traceback } = failure;
  // The number is shown beside it.
  const words =
    code !== '' && reason.startsWith(code) ? reason.slice(code.length).replace(/^[:\s]+/, '') : reason;
  return (
    <div class="note note-bad">
      <Icon name="failed" />
      <div>
        <h3>
          {state === OtaState.ROLLBACK_FAILURE ? 'The rollback failed' : 'The update failed'}
          {code !== '' && <span class="tag mono">{code}</span>}
          <span class="tag">{recoverable ? 'may work later' : 'needs a change'}</span>
        </h3>
        <p>{words === '' ? 'The ECU gives no reason.' : words}</p>
        <p class="quiet">
          {recoverable
            ? 'The same request may succeed when the cause is gone. What has arrived is not downloaded again.'
            : 'The same request will fail again: change what is wrong first, in the request, the image or the ECU.'}
        </p>
        {traceback !== '' && (
          <details>
            <summary>For developers</summary>
            <pre tabIndex={0}>{traceback}</pre>
          </details>
        )}
      </div>
    </div>
  );
}
