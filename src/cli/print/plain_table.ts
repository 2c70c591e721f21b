/** A table without lines or colours, as good in a pipe as on a terminal: the first column to the left, figures to the right. */
export function plainTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("   ");
  return rows.map(line).join("\n");
}
