import { useEffect } from 'preact/hooks';
import { session, signIn } from '#dashboard/page/model/session.ts';
import { Icon } from './icons.tsx';
import { Login } from './login.tsx';
import { Shell } from './shell.tsx';

const retryMs = 3000;

/** The page: whoever has no role sees the door and nothing else. */
export function App() {
  useEffect(() => void signIn(), []);
  const now = session.value;
  switch (now.kind) {
    case 'checking':
      return <Waiting text="Asking the vehicle…" />;
    case 'unreachable':
      return <Unreachable why={now.why} />;
    case 'out':
      return <Login problem={now.problem} busy={now.busy} />;
    case 'in':
      return <Shell caller={now.name} isOperator={now.isOperator} />;
  }
}

function Waiting({ text }: { readonly text: string }) {
  return (
    <main class="door" aria-busy="true">
      <div class="door-card quiet">
        <span class="spinner" aria-hidden="true" /> {text}
      </div>
    </main>
  );
}

function Unreachable({ why }: { readonly why: string }) {
  useEffect(() => {
    const timer = setInterval(() => void signIn(), retryMs);
    return () => clearInterval(timer);
  }, []);
  return (
    <main class="door">
      <div class="door-card">
        <span class="door-mark warn">
          <Icon name="silent" size={22} />
        </span>
        <h1>No answer from the vehicle</h1>
        <p role="alert">{why}</p>
        <p class="quiet">This page asks again every few seconds.</p>
        <button type="button" class="button primary" onClick={() => void signIn()}>
          Try now
        </button>
      </div>
    </main>
  );
}
