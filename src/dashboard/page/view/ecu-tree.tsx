import { useRef } from 'preact/hooks';
import { go, route } from '#dashboard/page/model/route.ts';
import { closed, isFiltered, lines, only, setClosed } from '#dashboard/page/model/tree-state.ts';
import type { Branch } from '#dashboard/page/model/vehicle.ts';
import { EcuRow } from './ecu-row.tsx';

/** The ECUs as a tree grid (ARIA authoring practices): arrows move, right and left open and close, Enter chooses. */
export function EcuTree() {
  const body = useRef<HTMLDivElement>(null);
  const shown = lines.value;
  const chosen = route.value.ecuId;
  if (shown.length === 0) return <Empty />;
  // One line takes part in the order of Tab.
  const entry = shown.some(({ ecuId }) => ecuId === chosen) ? chosen : shown[0]?.ecuId;
  const onKeyDown = (event: KeyboardEvent): void => move(event, shown, body.current);
  return (
    <div
      class="tree"
      role="treegrid"
      aria-labelledby="tree-title"
      aria-rowcount={shown.length + 1}
      ref={body}
      onKeyDown={onKeyDown}
    >
      <div role="row" class="tree-head">
        {['ECU', 'Version', 'Slot', 'State', 'Progress', 'Rate'].map((title) => (
          <span key={title} role="columnheader" class={`cell-${title.toLowerCase()}`}>
            {title}
          </span>
        ))}
      </div>
      {shown.map((branch) => (
        <EcuRow
          key={branch.ecuId}
          branch={isFiltered.value ? { ...branch, level: 1, hasChildren: false } : branch}
          isChosen={branch.ecuId === chosen}
          isEntry={branch.ecuId === entry}
          isClosed={closed.value.has(branch.ecuId)}
        />
      ))}
    </div>
  );
}

function Empty() {
  if (!isFiltered.value) {
    return (
      <p class="empty">This vehicle has told of no ECU yet. Its own ECU appears as soon as it answers.</p>
    );
  }
  const word = only.value === undefined ? 'like that' : `that is ${only.value}`;
  return <p class="empty">No ECU {word}. That can be good news.</p>;
}

function move(event: KeyboardEvent, shown: readonly Branch[], body: HTMLElement | null): void {
  const row = (event.target as HTMLElement).closest<HTMLElement>('[data-ecu]');
  const at = shown.findIndex(({ ecuId }) => ecuId === row?.dataset['ecu']);
  const branch = shown[at];
  if (branch === undefined) return;
  const { ecuId, parentId, hasChildren } = branch;
  const isClosed = closed.peek().has(ecuId);
  const focus = (target: string | undefined): void => {
    const found = body?.querySelector<HTMLElement>(`[data-ecu="${CSS.escape(target ?? '')}"]`);
    found?.focus();
    // What is looked at beside the tree follows.
    if (found !== null && target !== undefined && route.peek().ecuId !== undefined) go('vehicle', target);
  };
  switch (event.key) {
    case 'ArrowDown':
      focus(shown[at + 1]?.ecuId);
      break;
    case 'ArrowUp':
      focus(shown[at - 1]?.ecuId);
      break;
    case 'Home':
      focus(shown[0]?.ecuId);
      break;
    case 'End':
      focus(shown.at(-1)?.ecuId);
      break;
    case 'ArrowRight':
      if (hasChildren && isClosed) setClosed(ecuId, false);
      else if (hasChildren) focus(shown[at + 1]?.ecuId);
      break;
    case 'ArrowLeft':
      if (hasChildren && !isClosed) setClosed(ecuId, true);
      else focus(parentId);
      break;
    case 'Enter':
    case ' ':
      go('vehicle', ecuId);
      break;
    default:
      return;
  }
  event.preventDefault();
}
