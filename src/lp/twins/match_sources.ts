/** Twin of shaders/lp/match_sources.wgsl, which the CPU answers by as well. */
export { matchNearest as matchSources } from "../traffic/match.ts";
