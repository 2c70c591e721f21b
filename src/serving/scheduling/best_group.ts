import { type Job, toGo } from "./job.ts";
import { Profile } from "./profile.ts";
import type { Waiting } from "./waiting.ts";

/** A group of Sorted-F, and those that were taken from the waiting ones and are not in it. */
export interface Grouping {
  group: Job[];
  others: Job[];
}

/** A set of jobs as if they began together at step 0, and F of it. */
class Together {
  size = 0;
  private outputs = 0;
  private readonly profile = new Profile();

  constructor(private readonly kvTokens: number) {}

  fits(job: Job): boolean {
    return this.profile.peak(0, toGo(job)) + held(job) <= this.kvTokens;
  }

  add(job: Job): void {
    this.profile.add(toGo(job), held(job));
    this.outputs += toGo(job);
    this.size++;
  }

  remove(job: Job): void {
    this.profile.remove(toGo(job), held(job));
    this.outputs -= toGo(job);
    this.size--;
  }

  /** sum of o / |X|^2; Infinity of none. */
  get value(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.outputs / this.size ** 2;
  }
}

const held = ({ input, generated }: Job) => input + generated;

/** Of all subsets that fit, from all that wait; of equals the one that is found first, in order of volume. Takes all away. */
export function bestSubset(waiting: Waiting, kvTokens: number): Grouping {
  const jobs = takeAll(waiting);
  const set = new Together(kvTokens);
  const chosen: Job[] = [];
  let least = Number.POSITIVE_INFINITY;
  // The first alone where none fits by itself: by the predictions it never will.
  let group = jobs.slice(0, 1);
  const extend = (from: number) => {
    if (set.value < least) {
      least = set.value;
      group = chosen.slice();
    }
    for (let k = from; k < jobs.length; k++) {
      if (!set.fits(jobs[k])) continue;
      set.add(jobs[k]);
      chosen.push(jobs[k]);
      extend(k + 1);
      chosen.pop();
      set.remove(jobs[k]);
    }
  };
  extend(0);
  return { group, others: jobs.filter((job) => !group.includes(job)) };
}

/** Of the first so many in order of volume, while they fit. Takes those away that it has looked at. */
export function bestPrefix(waiting: Waiting, kvTokens: number): Grouping {
  const jobs: Job[] = [];
  const set = new Together(kvTokens);
  let least = Number.POSITIVE_INFINITY;
  let size = 1;
  for (let job = waiting.first; job !== undefined && set.fits(job); job = waiting.first) {
    waiting.pop();
    jobs.push(job);
    set.add(job);
    if (set.value >= least) continue;
    least = set.value;
    size = set.size;
  }
  if (jobs.length === 0) {
    jobs.push(waiting.first!);
    waiting.pop();
  }
  return { group: jobs.slice(0, size), others: jobs.slice(size) };
}

function takeAll(waiting: Waiting): Job[] {
  const jobs: Job[] = [];
  for (let job = waiting.first; job !== undefined; job = waiting.first) {
    jobs.push(job);
    waiting.pop();
  }
  return jobs;
}
