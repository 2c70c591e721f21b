import { pause, type Requests } from "./requests.ts";

/** A worker's running requests whose next token does not follow upon the one before: they rest, or go on after a pause. */
export class Resting {
  /** KV tokens of those that rest. */
  held = 0;
  private resting: number[] = [];
  private back: number[] = [];

  constructor(private readonly requests: Requests) {}

  /** How many make no token in the next step. */
  get count(): number {
    return this.resting.length;
  }

  /** How many make one in the next step after a pause. */
  get returning(): number {
    return this.back.length;
  }

  /** Its last token was made elsewhere, at `time`. */
  comes(id: number, time: number): void {
    this.requests.pause[id] = pause.returns;
    this.requests.lastToken[id] = time;
    this.back.push(id);
  }

  /** Nobody rests any more. */
  wakeUp(): void {
    for (const id of this.resting) {
      this.requests.pause[id] = pause.returns;
      this.back.push(id);
    }
    this.resting.length = 0;
    this.held = 0;
  }

  /** @param now  when the last step has ended. */
  lay(id: number, tokens: number, now: number): void {
    const { pause: pauses, lastToken } = this.requests;
    if (pauses[id] === pause.none) lastToken[id] = now;
    pauses[id] = pause.rests;
    this.resting.push(id);
    this.held += tokens;
  }

  /** All have been laid to rest that are to. */
  settle(): void {
    this.back = this.back.filter((id) => this.requests.pause[id] === pause.returns);
  }

  evict(id: number, tokens: number): void {
    const { pause: pauses } = this.requests;
    if (pauses[id] === pause.none) return;
    if (pauses[id] === pause.rests) this.held -= tokens;
    pauses[id] = pause.none;
    this.resting = this.resting.filter((other) => other !== id);
    this.back = this.back.filter((other) => other !== id);
  }

  /** Steps have been done, the last of them, and the only one if anybody returns, at `now`. */
  stepped(steps: number, now: number, events: { gap(seconds: number): void }): void {
    const { pause: pauses, lastToken, base } = this.requests;
    for (const id of this.resting) base[id] += steps;
    for (const id of this.back) {
      events.gap(now - lastToken[id]);
      pauses[id] = pause.none;
    }
    this.back.length = 0;
  }
}
