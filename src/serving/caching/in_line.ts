import { Line } from "./line.ts";
import type { Order } from "./order.ts";

/** One behind the other as they come; `moves`: and again whenever they are used. */
export class InLine implements Order {
  private readonly line = new Line();

  constructor(private readonly moves: boolean) {}

  enter(place: number): void {
    this.line.append(place);
  }

  hit(place: number): void {
    if (!this.moves) return;
    this.line.remove(place);
    this.line.append(place);
  }

  first(): number {
    return this.line.first;
  }

  take(place: number): void {
    this.line.remove(place);
  }

  putBack(place: number): void {
    this.line.prepend(place);
  }
}
