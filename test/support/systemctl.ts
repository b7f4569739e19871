/** Begins a shell script that is to take orders as systemctl does where "/" is not that of the service manager. */
export const likeInChroot =
  '[ "$SYSTEMD_IGNORE_CHROOT" = 1 ] || { echo "Running in chroot, ignoring command" >&2; exit 0; }';
