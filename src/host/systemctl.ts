/**
 * Environment for systemctl, and for `reboot` and the like, which are the same program. To whoever has another "/" than the
 * service manager it does nothing and says that all went well, unless told otherwise by this; a service with RootImage= or
 * RootDirectory= is in such a place. See systemctl(1) and "Known environment variables" of systemd.
 */
export const systemctlEnvironment = { SYSTEMD_IGNORE_CHROOT: '1' } as const;
