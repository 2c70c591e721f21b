const HUES = 7;

/** Experts that have a choice of replica have a colour each, as far as there are colours; the others are grey. */
export function colourOf(expert: number, replicas: number): Record<string, string> {
  return { "--hue": replicas > 1 ? `var(--series-${1 + (expert % (HUES - 1))})` : "var(--series-0)" };
}
