import { signal } from '@preact/signals';

/** Milliseconds by which the vehicle's clock is ahead of this machine's. */
let aheadMs = 0;

/** The vehicle's time now, in milliseconds since 1970: what is shown as "ago" is not this machine's affair. */
export function vehicleNow(): number {
  return Date.now() + aheadMs;
}

export function setVehicleTime(ms: number): void {
  aheadMs = ms - Date.now();
}

/** The vehicle's time, told once a second. */
export const second = signal(vehicleNow());

setInterval(() => {
  if (!document.hidden) second.value = vehicleNow();
}, 1000);

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) second.value = vehicleNow();
});
