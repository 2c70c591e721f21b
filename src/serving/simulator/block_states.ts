/** Ids of a page. */
const PAGE = 512;
const SHIFT = Math.log2(PAGE);

/** A number for each block, 0 at first: in pages, since a worker sees some of a trace's ids, those of a prompt's blocks mostly side by side. */
export class BlockStates {
  private readonly pages: (Int32Array | undefined)[] = [];

  of(block: number): number {
    const page = this.pages[block >> SHIFT];
    return page === undefined ? 0 : page[block & (PAGE - 1)];
  }

  /** @returns what it is then. */
  add(block: number, difference: number): number {
    let page = this.pages[block >> SHIFT];
    if (page === undefined) {
      page = new Int32Array(PAGE);
      this.pages[block >> SHIFT] = page;
    }
    page[block & (PAGE - 1)] += difference;
    return page[block & (PAGE - 1)];
  }
}
