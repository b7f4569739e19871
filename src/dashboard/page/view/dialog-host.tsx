import { closeDialog, dialog } from '#dashboard/page/model/dialogs.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { HelpDialog } from './help-dialog.tsx';
import { UpdateDialog } from './update-dialog.tsx';

/** Whatever is asked right now. */
export function DialogHost() {
  const asked = dialog.value;
  switch (asked?.kind) {
    case undefined:
      return null;
    case 'update':
      return <UpdateDialog ecuIds={asked.ecuIds} onClose={closeDialog} />;
    case 'rollback':
    case 'abort':
      return <ConfirmDialog kind={asked.kind} ecuIds={asked.ecuIds} onClose={closeDialog} />;
    case 'help':
      return <HelpDialog onClose={closeDialog} />;
  }
}
