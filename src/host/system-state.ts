import { readFile } from 'node:fs/promises';
import { CommandError, runCommand } from './command.ts';
import { systemctlEnvironment } from './systemctl.ts';

/** Where this machine is going: on, to a reboot, or off. */
export type SystemCourse = 'running' | 'rebooting' | 'powering_off';

const queryTimeoutMs = 5000;
const never = new AbortController().signal;

/**
 * Asked when the daemon is told to end: whether that is because the machine goes down. A machine whose service manager
 * does not say where it goes, but is not there any more, is rebooting. Never fails.
 */
export async function systemCourse(): Promise<SystemCourse> {
  // During `systemctl --force reboot` this has replaced the service manager, and nobody answers.
  const first = await readFile('/proc/1/comm', 'utf8').catch(() => '');
  if (first.startsWith('systemd-shutdow')) return 'rebooting';
  if ((await ask(['is-system-running'])) !== 'stopping') return 'running';
  const jobs = await ask(['list-jobs', '--no-legend', '--plain']);
  return /\b(?:poweroff|halt)\.target\s+start\b/.test(jobs) ? 'powering_off' : 'rebooting';
}

async function ask(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await runCommand(
      { argv: ['systemctl', ...args], env: systemctlEnvironment, timeoutMs: queryTimeoutMs },
      never,
    );
    return stdout.trim();
  } catch (error) {
    if (error instanceof CommandError) return '';
    throw error;
  }
}

/** Another one for each boot of this machine. */
export async function kernelBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
