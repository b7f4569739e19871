/** A condition that is not fulfilled, as Status and answers tell it: `parked: the vehicle stands (Vehicle.Speed is 42)`. */
export function conditionText(name: string, meaning: string, seen: string): string {
  return `${name}: ${meaning} (${seen})`;
}

/** The same text without the values behind it, which change all the time. */
export function withoutSeen(text: string): string {
  const at = text.lastIndexOf(' (');
  return at < 0 || !text.endsWith(')') ? text : text.slice(0, at);
}
