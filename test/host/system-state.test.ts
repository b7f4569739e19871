import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelBootId, systemCourse } from '#host/system-state.ts';
import { programsOnPath } from '../support/programs.ts';
import { likeInChroot } from '../support/systemctl.ts';

const systemctl = (state: string, jobs: string) => ({
  systemctl: `${likeInChroot}; case $1 in is-system-running) echo ${state}; exit 1;; list-jobs) printf '${jobs}';; esac`,
});

test('the course of a machine is what its service manager says', async (t) => {
  const cases = [
    ['running', '', 'running'],
    ['degraded', '', 'running'],
    ['starting', '9 multi-user.target start waiting\\n', 'running'],
    ['stopping', '1 reboot.target start waiting\\n2 ota.service stop running\\n', 'rebooting'],
    ['stopping', '1 kexec.target start waiting\\n', 'rebooting'],
    ['stopping', '1 shutdown.target start waiting\\n2 poweroff.target start waiting\\n', 'powering_off'],
    ['stopping', '1 halt.target start waiting\\n', 'powering_off'],
    ['stopping', '', 'rebooting'],
  ] as const;
  for (const [state, jobs, course] of cases) {
    await programsOnPath(t, systemctl(state, jobs));
    assert.equal(await systemCourse(), course, `${state} ${jobs}`);
  }
});

test('a machine without a service manager runs on', async (t) => {
  await programsOnPath(t, { systemctl: 'echo offline; exit 1' });
  assert.equal(await systemCourse(), 'running');
});

test('a boot has one id', async () => {
  const id = await kernelBootId();
  assert.match(id, /^[\da-f-]{36}$/);
  assert.equal(await kernelBootId(), id);
});
