/** One step of a rollback's carrying as a process, to be killed: `carry-once carry ROOT ACTIVE PATH...`, `carry-once undo ROOT`. */
import { carryBack, undoCarryBack } from '#update/rollback/carry-back.ts';

const [action = '', root = '', activeRoot = '', ...paths] = process.argv.slice(2);
await (action === 'carry' ? carryBack({ paths, activeRoot, root }) : undoCarryBack(root));
