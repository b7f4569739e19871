import { useState } from 'preact/hooks';
import { client } from '#dashboard/page/model/session.ts';
import { viewSignal } from '#dashboard/page/model/vehicle.ts';
import { problemOf } from '#dashboard/page/words/problems.ts';
import type { EcuAnswer } from '#gen/ota/console/v1/types_pb.ts';
import { Answers } from './answers.tsx';
import { Modal } from './modal.tsx';

interface ConfirmDialogProps {
  readonly kind: 'rollback' | 'abort';
  readonly ecuIds: readonly string[];
  readonly onClose: () => void;
}

const words = {
  rollback: {
    title: 'Roll back',
    text: 'Each ECU boots the release that it had before, as long as that slot is intact. It is not reachable while it boots.',
    button: 'Roll back',
    done: 'Rolling back:',
  },
  abort: {
    title: 'Abort',
    text: 'Updates that have not switched the boot yet are stopped; the ECUs go on with what they run. What has arrived is kept for the next attempt.',
    button: 'Abort',
    done: 'Stopping:',
  },
} as const;

/** Asks once more, and shows what the ECUs say. */
export function ConfirmDialog({ kind, ecuIds, onClose }: ConfirmDialogProps) {
  const [answers, setAnswers] = useState<readonly EcuAnswer[] | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const { title, text, button, done } = words[kind];
  const send = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      const request = { ecuIds: [...ecuIds] };
      const options = { timeoutMs: 30_000 };
      const answer = await (kind === 'rollback'
        ? client.startRollback(request, options)
        : client.abort(request, options));
      setAnswers(answer.answers);
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal title={`${title} ${ecuIds.length === 1 ? ecuIds[0] : `${ecuIds.length} ECUs`}`} onClose={onClose}>
      <div class="modal-body">
        {answers === undefined ? (
          <>
            <p>{text}</p>
            <ul class="ecu-list">
              {ecuIds.map((ecuId) => (
                <li key={ecuId}>
                  <b class="mono">{ecuId}</b>{' '}
                  <span class="quiet">
                    runs {viewSignal(ecuId)?.value.ecu.firmwareVersion || 'an unknown release'}
                  </span>
                </li>
              ))}
            </ul>
          </>
        ) : (
          <Answers answers={answers} done={done} />
        )}
        {problem !== undefined && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
      </div>
      <div class="modal-foot">
        <button type="button" class="button" onClick={onClose}>
          {answers === undefined ? 'Leave it' : 'Close'}
        </button>
        {answers === undefined && (
          <button type="button" class="button danger" disabled={busy} onClick={() => void send()}>
            {busy ? 'Asking…' : `${button} ${ecuIds.length === 1 ? ecuIds[0] : `${ecuIds.length} ECUs`}`}
          </button>
        )}
      </div>
    </Modal>
  );
}
