/** Whose tokens a batch's are: of one rank, or, where one process has all of them, dealt to the sources in order. */
/** Of T tokens dealt to the sources in order, token t is of this one; */
export const dealtTo = (t: number, tokens: number, sources: number): number => Math.floor((t * sources) / tokens);

/** and source s's are those from here to where the next one's begin. */
export const dealtFrom = (s: number, tokens: number, sources: number): number => Math.ceil((s * tokens) / sources);
