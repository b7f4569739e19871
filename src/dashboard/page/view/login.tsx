import { useRef } from 'preact/hooks';
import { signIn } from '#dashboard/page/model/session.ts';
import { Icon } from './icons.tsx';

interface LoginProps {
  readonly problem: string | undefined;
  readonly busy: boolean;
}

/** The door: a token for a role. */
export function Login({ problem, busy }: LoginProps) {
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = field.current?.value.trim() ?? '';
    if (token === '') field.current?.focus();
    else void signIn(token);
  };
  return (
    <main class="door">
      <form class="door-card" onSubmit={submit} aria-labelledby="login-title">
        <span class="door-mark">
          <Icon name="updating" size={22} />
        </span>
        <h1 id="login-title">Vehicle OTA</h1>
        <p class="quiet">
          Sign in with a token of this vehicle. Viewers see everything; operators also update.
        </p>
        <label class="field">
          <span>Token</span>
          <input
            ref={field}
            type="password"
            name="token"
            autocomplete="current-password"
            spellcheck={false}
            autofocus
            aria-invalid={problem !== undefined}
            aria-describedby={problem === undefined ? 'login-hint' : 'login-problem'}
          />
        </label>
        {problem !== undefined && (
          <p id="login-problem" class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="button primary" disabled={busy}>
          {busy ? 'Asking the vehicle…' : 'Sign in'}
        </button>
        <details class="hint" id="login-hint">
          <summary>Where do I get one?</summary>
          <p>
            On the ECU itself, <code>console/local-token</code> in the state directory of its daemon holds an
            operator’s token; it changes when the daemon starts. Tokens for people are kept in the file that
            the option <code>console.tokens_file</code> names.
          </p>
          <p>
            A link that ends with <code>#token=…</code> signs in by itself. The token stays in this tab only.
          </p>
        </details>
      </form>
    </main>
  );
}
