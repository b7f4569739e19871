import { useState } from 'preact/hooks';
import { client } from '#dashboard/page/model/session.ts';
import { faultsOf, targetsOf, type UpdateForm } from '#dashboard/page/model/update-form.ts';
import { problemOf } from '#dashboard/page/words/problems.ts';
import type { EcuAnswer, EcuPlan } from '#gen/ota/console/v1/types_pb.ts';
import { Answers } from './answers.tsx';
import { Modal } from './modal.tsx';
import { PlanReview } from './plan-review.tsx';
import { UpdateFields } from './update-fields.tsx';

interface UpdateDialogProps {
  readonly ecuIds: readonly string[];
  readonly onClose: () => void;
}

type Stage =
  | { readonly kind: 'form' }
  | {
      readonly kind: 'plan';
      readonly plans: readonly EcuPlan[] | undefined;
      readonly problem: string | undefined;
    }
  | { readonly kind: 'answers'; readonly answers: readonly EcuAnswer[] };

/** A plan may read whole slots: minutes, on a slow ECU. Milliseconds. */
const planMs = 300_000;

/** What is to be installed, then what that would cost, then the button, then what the ECUs say. */
export function UpdateDialog({ ecuIds, onClose }: UpdateDialogProps) {
  const [form, setForm] = useState<UpdateForm>({
    url: '',
    version: '',
    cookies: '',
    force: false,
    ecuIds,
    own: {},
  });
  const [stage, setStage] = useState<Stage>({ kind: 'form' });
  const [isChecked, setChecked] = useState(false);
  const [busy, setBusy] = useState<string | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const faults = faultsOf(form);
  const isRight = Object.keys(faults).length === 0;
  const what = `${form.ecuIds.length === 1 ? form.ecuIds[0] : `${form.ecuIds.length} ECUs`} to ${form.version.trim()}`;

  const during = async (words: string, work: () => Promise<void>): Promise<void> => {
    setBusy(words);
    setProblem(undefined);
    try {
      await work();
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(undefined);
    }
  };
  const plan = (): void => {
    setChecked(true);
    if (!isRight) return;
    void during('Planning…', async () => {
      try {
        const { plans } = await client.planUpdate({ targets: targetsOf(form) }, { timeoutMs: planMs });
        setStage({ kind: 'plan', plans, problem: undefined });
      } catch (error) {
        // No plan is no reason to be kept from updating.
        setStage({ kind: 'plan', plans: undefined, problem: problemOf(error) });
      }
    });
  };
  const start = (): void =>
    void during('Asking…', async () => {
      const { answers } = await client.startUpdate({ targets: targetsOf(form) }, { timeoutMs: 60_000 });
      setStage({ kind: 'answers', answers });
    });

  return (
    <Modal title="Update" onClose={onClose} isWide={true}>
      <form
        class="modal-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (busy !== undefined) return;
          if (stage.kind === 'form') plan();
          else if (stage.kind === 'plan') start();
        }}
      >
        <div class="modal-body">
          {stage.kind === 'form' && (
            <UpdateFields form={form} setForm={setForm} faults={isChecked ? faults : {}} />
          )}
          {stage.kind === 'plan' && <PlanReview plans={stage.plans} problem={stage.problem} what={what} />}
          {stage.kind === 'answers' && <Answers answers={stage.answers} done="Update started:" />}
          {problem !== undefined && (
            <p class="problem" role="alert">
              {problem}
            </p>
          )}
        </div>
        <div class="modal-foot">
          {busy === 'Planning…' && (
            <span class="quiet grow" role="status">
              <span class="spinner" aria-hidden="true" /> Each ECU compares the image with what it has; that
              may take a while.
            </span>
          )}
          {stage.kind === 'plan' && (
            <button
              type="button"
              class="button"
              disabled={busy !== undefined}
              onClick={() => setStage({ kind: 'form' })}
            >
              Back
            </button>
          )}
          <button type="button" class="button" onClick={onClose}>
            {stage.kind === 'answers' ? 'Close' : 'Cancel'}
          </button>
          {stage.kind !== 'answers' && (
            <button type="submit" class="button primary" disabled={busy !== undefined}>
              {busy ?? (stage.kind === 'plan' ? `Update ${what}` : 'Show the plan')}
            </button>
          )}
        </div>
      </form>
    </Modal>
  );
}
