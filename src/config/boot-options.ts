import * as z from 'zod';
import { absolutePath, directory, flag, section } from './option-kinds.ts';

const wrongDevice = {
  error: 'write a device as PARTLABEL=name, LABEL=name, UUID=id, PARTUUID=id or an absolute path',
};
const device = z
  .string(wrongDevice)
  .regex(/^(?:(?:PARTLABEL|LABEL|UUID|PARTUUID)=[^\p{Cc}/]+|\/\P{Cc}+)$/u, wrongDevice);

const wrongPaths = { error: 'write a list of absolute paths' };
const paths = z.array(absolutePath, wrongPaths).max(256, wrongPaths);

/** Options of slots and boot controls. */
export const bootOptions = z
  .object(
    {
      directory: z
        .object(
          {
            path: directory(
              '/var/lib/ota/slots',
              'slots and boot choice of boot control `directory`; never inside a slot',
            ),
          },
          section,
        )
        .prefault({}),
      active_root: directory(
        '/',
        'root of the running release; another than `/` only to work on a disk from outside, or for a service in an image',
      ),
      runs_machine: z
        .boolean({ error: 'write true or false' })
        .optional()
        .describe(
          'whether this machine runs from `boot.active_root`, and reboots into the other slot; by default for `/` only',
        ),
      boot_directory: directory('/boot', 'where the running release sees its boot partition'),
      mount_directory: directory('/run/ota/mounts', 'mount points of slots, seen only by the daemon'),
      status_directory: absolutePath
        .optional()
        .describe(
          'status files for `u-boot`, `systemd-boot` and `command`, on a file system that both slots see; ' +
            '`ota-status` in the boot directory by default',
        ),
      slot_a: device
        .optional()
        .describe('device of slot_a, where its partition has neither name nor label `slot_a`'),
      slot_b: device
        .optional()
        .describe('device of slot_b, where its partition has neither name nor label `slot_b`'),
      filesystem: z
        .enum(['ext4', 'xfs', 'btrfs'], { error: 'write ext4, xfs or btrfs' })
        .optional()
        .describe(
          'file system that a standby slot is made with; the one it has, or that of the active slot, by default',
        ),
      reuse: flag(
        true,
        'whether a standby slot whose file system checks clean is updated in place instead of formatted',
      ),
      carry: paths
        .default(['/etc/ota', '/boot/ota', '/opt/ota/client/certs'])
        .describe(
          "the ECU's own configuration: copied to the new release at every update, over what the image has",
        ),
      kernel_arguments: z
        .string({ error: 'write the kernel command line as one text' })
        .max(2048)
        .default('panic=10')
        .describe('added to the kernel command line of slots whose boot menu we write'),
      command: z
        .object(
          { path: absolutePath.optional().describe('the executable of boot control `command`') },
          section,
        )
        .prefault({}),
      tool_timeout_ms: z
        .int()
        .min(100)
        .max(3_600_000)
        .default(60_000)
        .describe('limit for one call of a boot tool such as `fw_setenv` or `nvbootctrl`'),
    },
    section,
  )
  .prefault({});
