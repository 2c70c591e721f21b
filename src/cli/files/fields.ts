/** What a file has instead of what was expected, for the end of a message. */
export function fieldsFound(json: unknown): string {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return "";
  const names = Object.keys(json);
  if (names.length === 0) return "It has no fields.";
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return `Its fields: ${names.slice(0, SHOWN).join(", ")}${more}.`;
}

const SHOWN = 8;
