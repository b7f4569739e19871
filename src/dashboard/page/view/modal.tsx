import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from './icons.tsx';

interface ModalProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly isWide?: boolean;
}

/** A dialog of the browser's own: it keeps the focus, closes with Escape, and gives the focus back. */
export function Modal({ title, onClose, children, isWide = false }: ModalProps) {
  const box = useRef<HTMLDialogElement>(null);
  const isClosed = useRef(false);
  // Escape is told by `cancel` at once and by `close` a task later, when keys may mean the page again.
  const close = () => {
    if (isClosed.current) return;
    isClosed.current = true;
    onClose();
  };
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={box}
      class={isWide ? 'modal wide' : 'modal'}
      aria-labelledby="modal-title"
      onCancel={close}
      onClose={close}
    >
      <div class="modal-head">
        <h2 id="modal-title">{title}</h2>
        <button type="button" class="tool" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {children}
    </dialog>
  );
}
