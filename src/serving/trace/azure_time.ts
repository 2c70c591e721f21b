const STAMP = /^(\d{4}-\d\d-\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/;

/**
 * Reads stamps such as 2023-11-16 18:17:03.9799600 and 2024-05-10 00:00:00.009930+00:00, which without a zone are UTC.
 *
 * @returns a stamp's ns from the first one's second on, exact within 104 days of it: a double of seconds since 1970 would be 240 ns
 *   coarse, and stamps are 100 ns apart. NaN where it is no stamp.
 */
export function azureClock(): (text: string) => number {
  let first = Number.NaN;
  let day = "";
  let dayStart = 0; // s since 1970
  return (text) => {
    const match = STAMP.exec(text.trim());
    if (!match) return Number.NaN;
    const [, date, hours, minutes, seconds, fraction = "", zone] = match;
    if (date !== day) {
      day = date;
      dayStart = startOf(date);
    }
    if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return Number.NaN;
    const at = dayStart + 3600 * Number(hours) + 60 * Number(minutes) + Number(seconds) - offsetOf(zone);
    if (Number.isNaN(first)) first = at;
    return (at - first) * 1e9 + Number(fraction.padEnd(9, "0"));
  };
}

/** NaN for days that no calendar has, which Date would take for others. */
function startOf(date: string): number {
  const start = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(start) && new Date(start).toISOString().startsWith(date) ? start / 1000 : Number.NaN;
}

/** s east of Greenwich. */
function offsetOf(zone: string | undefined): number {
  if (zone === undefined || zone === "Z") return 0;
  const east = 3600 * Number(zone.slice(1, 3)) + 60 * Number(zone.slice(-2));
  return zone.startsWith("-") ? -east : east;
}
