/*
 * For each LP p of a batch, with w = load[p], b = base[p] and x = quota[p]:
 *
 *   min t   s.t.   sum of x_s over the slots s of expert e = w_e,   b_g + sum of x_s over the slots s of GPU g <= t,   x >= 0, whole tokens
 *
 *   layer   one of those exported, numbered as in the file.
 *   load    [batch, EVENKEEL_EXPERTS] tokens of each expert.
 *   base    [batch, EVENKEEL_GPUS] tokens that each GPU has besides, of any sign; or NULL: none.
 *   quota   [batch, EVENKEEL_SLOTS] tokens of each physical slot, written by a solve: 0 in empty slots, even among slots of an expert on one GPU.
 *   proof   [batch, EVENKEEL_PROOF] written by a solve: status, sweeps, moves, and a set S of GPUs, GPU g being bit g % 32 of word 3 + g / 32.
 *   log2phy_prob  [batch, EVENKEEL_EXPERTS, EVENKEEL_COPIES] written from quotas, for SGLang: the share of an expert's tokens that goes to each of
 *           its slots, in ascending order, which is that of logical_to_all_physical_map, then zeros. An expert without tokens has
 *           1 / (its slots) in each.
 *
 * Status 0, optimal: max load = ceil(inside(S) / |S|), where inside(S) is the base loads of S and the loads of experts with every slot in S, all
 * of which any split leaves there. Who doubts it computes both sides.
 * Status 1, a gap: either rounds ran out (not seen yet), and the quotas are a split that may not be the best; or the LP is none, a load
 * being below 0, or loads and |base| adding up to more than 2^31 - 1: then nothing was solved, and its quotas are all 0.
 * An LP's answer does not depend on the others of its batch. Experts without a slot are served nowhere.
 *
 * Not promised: which of several optimal splits it is; only that one binary answers the same each time.
 */
