import { ArgumentError } from "../common/errors.ts";

const LEAST_ROOM = 16;
/** In the place of one that has been removed before its turn. */
const GONE = -1;

/**
 * Requests that wait, in the order in which they came. Each operation takes constant time, on average over many, however many wait.
 *
 * @template T  what else is kept of a request until its turn.
 */
export class WaitingQueue<T = void> {
  // A ring: position p is in slot p mod the room. Positions only grow, but for `unshift`, so that an id is found by its position.
  private ids = new Int32Array(LEAST_ROOM);
  private inputs = new Int32Array(LEAST_ROOM);
  private kept = new Array<T | undefined>(LEAST_ROOM);
  private head = 0;
  private tail = 0;
  private readonly positions = new Map<number, number>();

  get length(): number {
    return this.positions.size;
  }

  /** The id of the next; there must be one. */
  get id(): number {
    return this.ids[this.slot(this.head)];
  }

  /** The next's tokens of its prompt. */
  get input(): number {
    return this.inputs[this.slot(this.head)];
  }

  get item(): T {
    return this.kept[this.slot(this.head)] as T;
  }

  /** @throws {ArgumentError} One with this id waits already. */
  push(id: number, input: number, item: T): void {
    this.makeRoom(id);
    this.put(this.tail++, id, input, item);
  }

  /** Puts it before all that wait. */
  unshift(id: number, input: number, item: T): void {
    this.makeRoom(id);
    this.put(--this.head, id, input, item);
  }

  /** Takes the next away; there must be one. */
  shift(): void {
    this.remove(this.id);
  }

  /** @returns whether it did wait. */
  remove(id: number): boolean {
    const position = this.positions.get(id);
    if (position === undefined) return false;
    this.positions.delete(id);
    this.ids[this.slot(position)] = GONE;
    this.kept[this.slot(position)] = undefined;
    while (this.head < this.tail && this.id === GONE) this.head++;
    return true;
  }

  private slot(position: number): number {
    return position & (this.ids.length - 1);
  }

  private put(position: number, id: number, input: number, item: T): void {
    const slot = this.slot(position);
    this.ids[slot] = id;
    this.inputs[slot] = input;
    this.kept[slot] = item;
    this.positions.set(id, position);
  }

  private makeRoom(id: number): void {
    if (this.positions.has(id)) throw new ArgumentError("id", "one that does not wait already", id);
    if (this.tail - this.head < this.ids.length) return;
    const { ids, inputs, kept, head, tail } = this;
    // Where most have been removed before their turn there is room enough without them.
    const room = this.length < ids.length / 2 ? ids.length : ids.length * 2;
    this.ids = new Int32Array(room);
    this.inputs = new Int32Array(room);
    this.kept = new Array<T | undefined>(room);
    this.tail = head;
    for (let p = head; p < tail; p++) {
      const old = p & (ids.length - 1);
      if (ids[old] !== GONE) this.put(this.tail++, ids[old], inputs[old], kept[old] as T);
    }
  }
}
