/** Places one behind the other: a list linked in both directions, of which a place can be in one. */
export class Line {
  private readonly before: number[] = [];
  private readonly behind: number[] = [];
  private head = -1;
  private tail = -1;

  /** -1 where nobody stands. */
  get first(): number {
    return this.head;
  }

  append(place: number): void {
    this.before[place] = this.tail;
    this.behind[place] = -1;
    if (this.tail < 0) this.head = place;
    else this.behind[this.tail] = place;
    this.tail = place;
  }

  prepend(place: number): void {
    this.before[place] = -1;
    this.behind[place] = this.head;
    if (this.head < 0) this.tail = place;
    else this.before[this.head] = place;
    this.head = place;
  }

  remove(place: number): void {
    const before = this.before[place];
    const behind = this.behind[place];
    if (before < 0) this.head = behind;
    else this.behind[before] = behind;
    if (behind < 0) this.tail = before;
    else this.before[behind] = before;
  }
}
