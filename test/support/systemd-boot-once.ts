/** One switch of a machine with systemd-boot in a process of its own: ROOT BOOT install|try|confirm BOOTED RELEASE. */
import { slotDevices } from './loader-setting.ts';
import { SystemdBootMachine } from './systemd-boot-machine.ts';

const [activeRoot = '', boot = '', action, booted, root = ''] = process.argv.slice(2);
const loader = SystemdBootMachine.at(activeRoot, boot).loader(booted === 'slot_b' ? 'slot_b' : 'slot_a');
if (action === 'install')
  await loader.install({ slot: 'slot_b', root, activeRoot, device: slotDevices().slot_b });
else if (action === 'try') await loader.tryOnce('slot_b');
else await loader.makeDefault('slot_b');
