import type { ComponentChildren } from 'preact';
import type { Field, UpdateForm } from '#dashboard/page/model/update-form.ts';
import { tree, viewSignal } from '#dashboard/page/model/vehicle.ts';
import { StateMark } from './icons.tsx';

interface UpdateFieldsProps {
  readonly form: UpdateForm;
  readonly setForm: (form: UpdateForm) => void;
  readonly faults: Partial<Record<Field, string>>;
}

/** What is to be installed, and where. */
export function UpdateFields({ form, setForm, faults }: UpdateFieldsProps) {
  const set = (change: Partial<UpdateForm>): void => setForm({ ...form, ...change });
  return (
    <>
      <Field name="url" title="Image URL" hint="{ecu} stands for the id of each ECU" fault={faults.url}>
        <input
          type="text"
          inputMode="url"
          id="field-url"
          autofocus
          spellcheck={false}
          autocomplete="off"
          placeholder="https://images.example/2.0/"
          maxLength={2000}
          value={form.url}
          aria-invalid={faults.url !== undefined}
          aria-describedby="help-url"
          onInput={(event) => set({ url: event.currentTarget.value })}
        />
      </Field>
      <div class="pair">
        <Field name="version" title="Version" hint="as the image tells it" fault={faults.version}>
          <input
            type="text"
            id="field-version"
            spellcheck={false}
            autocomplete="off"
            maxLength={200}
            value={form.version}
            aria-invalid={faults.version !== undefined}
            aria-describedby="help-version"
            onInput={(event) => set({ version: event.currentTarget.value })}
          />
        </Field>
        <Field
          name="cookies"
          title="Cookies"
          hint="JSON for the image server; never shown again"
          fault={faults.cookies}
        >
          <input
            type="text"
            class="masked"
            spellcheck={false}
            id="field-cookies"
            autocomplete="off"
            placeholder="none"
            value={form.cookies}
            aria-invalid={faults.cookies !== undefined}
            aria-describedby="help-cookies"
            onInput={(event) => set({ cookies: event.currentTarget.value })}
          />
        </Field>
      </div>
      <Ecus form={form} set={set} fault={faults.ecus} />
      <label class="check">
        <input
          type="checkbox"
          checked={form.force}
          onChange={(event) => set({ force: event.currentTarget.checked })}
        />
        Install even a release that an ECU has quarantined
      </label>
    </>
  );
}

interface FieldProps {
  readonly name: Field;
  readonly title: string;
  readonly hint: string;
  readonly fault: string | undefined;
  readonly children: ComponentChildren;
}

function Field({ name, title, hint, fault, children }: FieldProps) {
  return (
    <div class="field">
      <label htmlFor={`field-${name}`}>{title}</label>
      {children}
      <p id={`help-${name}`} class={fault === undefined ? 'quiet' : 'problem-text'}>
        {fault ?? hint}
      </p>
    </div>
  );
}

interface EcusProps {
  readonly form: UpdateForm;
  readonly set: (change: Partial<UpdateForm>) => void;
  readonly fault: string | undefined;
}

function Ecus({ form, set, fault }: EcusProps) {
  const { ecuIds, own } = form;
  const all = tree.value.map(({ ecuId }) => ecuId);
  const choose = (ecuId: string): void =>
    set({
      ecuIds: ecuIds.includes(ecuId)
        ? ecuIds.filter((other) => other !== ecuId)
        : all.filter((id) => id === ecuId || ecuIds.includes(id)),
    });
  return (
    <fieldset class="ecus" aria-describedby="help-ecus">
      <legend>ECUs</legend>
      <p class="ecus-tools">
        <button type="button" class="link" onClick={() => set({ ecuIds: all })}>
          All {all.length}
        </button>
        <button type="button" class="link" onClick={() => set({ ecuIds: [] })}>
          None
        </button>
        <span id="help-ecus" class={fault === undefined ? 'quiet' : 'problem-text'}>
          {fault ?? `${ecuIds.length} chosen`}
        </span>
      </p>
      <ul class="choose" tabIndex={0} aria-label="ECUs to update">
        {all.map((ecuId) => (
          <li key={ecuId}>
            <label class="check">
              <input type="checkbox" checked={ecuIds.includes(ecuId)} onChange={() => choose(ecuId)} />
              <StateMark category={viewSignal(ecuId)?.peek().category ?? 'silent'} />
              <span class="mono">{ecuId}</span>
              <span class="quiet mono">{viewSignal(ecuId)?.peek().ecu.firmwareVersion}</span>
            </label>
            {ecuIds.includes(ecuId) && <Own ecuId={ecuId} form={form} set={set} value={own[ecuId]} />}
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

interface OwnProps {
  readonly ecuId: string;
  readonly form: UpdateForm;
  readonly set: (change: Partial<UpdateForm>) => void;
  readonly value: UpdateForm['own'][string] | undefined;
}

/** Another image for one of them. */
function Own({ ecuId, form, set, value }: OwnProps) {
  const { url, version, own } = form;
  if (value === undefined) {
    return (
      <button
        type="button"
        class="link small"
        aria-label={`Another image for ${ecuId}`}
        onClick={() => set({ own: { ...own, [ecuId]: { url, version } } })}
      >
        another image
      </button>
    );
  }
  const change = (part: Partial<typeof value>): void =>
    set({ own: { ...own, [ecuId]: { ...value, ...part } } });
  return (
    <span class="own">
      <input
        type="text"
        aria-label={`Image URL for ${ecuId}`}
        placeholder="URL"
        value={value.url}
        onInput={(event) => change({ url: event.currentTarget.value })}
      />
      <input
        type="text"
        aria-label={`Version for ${ecuId}`}
        placeholder="version"
        value={value.version}
        onInput={(event) => change({ version: event.currentTarget.value })}
      />
      <button
        type="button"
        class="link small"
        aria-label={`The same image as the others for ${ecuId}`}
        onClick={() => set({ own: Object.fromEntries(Object.entries(own).filter(([id]) => id !== ecuId)) })}
      >
        same
      </button>
    </span>
  );
}
