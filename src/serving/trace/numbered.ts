/** Numbers names from 0 by their first appearance. */
export class Numbered {
  private readonly numbers = new Map<string | number, number>();

  get size(): number {
    return this.numbers.size;
  }

  of(name: string | number): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    this.numbers.set(typeof name === "string" ? copied(name) : name, this.size);
    return this.size - 1;
  }
}

/** A part of a text keeps all of that text in memory, and here would do so for as long as the file is read. */
const copied = (text: string): string => JSON.parse(JSON.stringify(text));
