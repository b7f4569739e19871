import { shortcutsOn } from '#dashboard/page/model/preferences.ts';
import { shortcuts } from './keys.ts';
import { Modal } from './modal.tsx';

const inTree: readonly (readonly [string, string])[] = [
  ['↑ ↓', 'Move through the ECUs'],
  ['→ ←', 'Open and close what is below an ECU'],
  ['Enter', 'Show details'],
  ['Esc', 'Close details, dialogs'],
];

export function HelpDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Modal title="Keys" onClose={onClose}>
      <div class="modal-body">
        <dl class="keys">
          {[...inTree, ...shortcuts.map(({ key, does }) => [key, does] as const)].map(([key, does]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <label class="check">
          <input
            type="checkbox"
            checked={shortcutsOn.value}
            onChange={(event) => {
              shortcutsOn.value = event.currentTarget.checked;
            }}
          />
          Single keys do something
        </label>
      </div>
    </Modal>
  );
}
