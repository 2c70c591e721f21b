import { ArgumentError } from "../../common/errors.ts";
import type { CacheDecisions, Key, Model } from "./cache_policy.ts";
import type { Order } from "./order.ts";
import { Places } from "./places.ts";

/** Where a place is. */
const ORDERED = 0;
/** Out of the order, since it came first and has children: back once the last of them has gone. */
const PARKED = 1;
/** Named as a victim, and not removed yet. */
const NAMED = 2;
/** Admitted, and not yet in the order, so that the room that is made for it is not its own. */
const NEW = 3;

/**
 * A policy that evicts in an order, and a leaf always before its parent: a parent whose turn it is waits outside the order, and is the next
 * when its last child has gone, since all that stands in the order comes later.
 */
export class Ordered implements CacheDecisions {
  private readonly state: number[] = [];
  private readonly parent: number[] = [];
  private readonly children: number[] = [];
  private readonly sizes: number[] = [];
  private newest = -1;
  private newestCost = 0;
  /** Victims, in their order. */
  private readonly named: number[] = [];

  constructor(
    private readonly order: Order,
    protected readonly places: Places = new Places(),
  ) {}

  hit(key: Key, _now: number): void {
    this.settle();
    const place = this.placeOf(key);
    if (this.state[place] === PARKED) this.backInto(place);
    this.order.hit(place);
  }

  admit(key: Key, size: number, cost: number, _now: number, parent?: Key, _model?: Model): boolean {
    this.settle();
    if (this.places.of(key) >= 0) throw new ArgumentError("key", "one that is not cached", key);
    const above = parent === undefined ? -1 : this.places.of(parent);
    if (parent !== undefined && above < 0) return false;
    const place = this.places.add(key);
    this.state[place] = NEW;
    this.parent[place] = above;
    this.children[place] = 0;
    this.sizes[place] = size;
    if (above >= 0) this.children[above]++;
    this.newest = place;
    this.newestCost = cost;
    this.order.arrives?.(place);
    return true;
  }

  victim(): Key | undefined {
    if (this.named.length === 0 && this.name() < 0) return undefined;
    return this.places.keyAt(this.named[0]);
  }

  removed(key: Key): void {
    const place = this.placeOf(key);
    if (this.children[place] > 0) throw new ArgumentError("key", "one that is no longer the parent of another", key);
    const evicted = this.state[place] === NAMED;
    if (place === this.newest) {
      this.newest = -1;
      this.leaveParent(place);
    } else if (evicted) {
      if (this.named[this.named.length - 1] === place) this.named.pop();
      else this.named.splice(this.named.indexOf(place), 1);
      this.order.gone?.(place, true);
    } else {
      this.order.take(place);
      this.leaveParent(place);
      this.order.gone?.(place, false);
    }
    this.places.remove(place);
  }

  protected sizeAt(place: number): number {
    return this.sizes[place];
  }

  /** Chooses one more victim. @returns its place, -1 where nothing may go. */
  protected name(): number {
    for (;;) {
      const place = this.order.first();
      if (place < 0) return -1;
      this.order.take(place);
      if (this.children[place] === 0) {
        this.state[place] = NAMED;
        this.named.push(place);
        this.leaveParent(place);
        return place;
      }
      this.state[place] = PARKED;
    }
  }

  /** All is over that was meant for the newest: it enters, and victims that nobody took are none. */
  protected settle(): void {
    while (this.named.length > 0) this.unname(this.named.pop()!);
    if (this.newest < 0) return;
    const place = this.newest;
    this.newest = -1;
    this.state[place] = ORDERED;
    this.order.enter(place, this.sizes[place], this.newestCost);
  }

  private unname(place: number): void {
    const above = this.parent[place];
    if (above >= 0) this.children[above]++;
    this.backInto(place);
  }

  private backInto(place: number): void {
    this.state[place] = ORDERED;
    this.order.putBack(place);
  }

  private leaveParent(place: number): void {
    const above = this.parent[place];
    if (above < 0) return;
    this.children[above]--;
    if (this.children[above] === 0 && this.state[above] === PARKED) this.backInto(above);
  }

  private placeOf(key: Key): number {
    const place = this.places.of(key);
    if (place < 0) throw new ArgumentError("key", "one that is cached", key);
    return place;
  }
}
