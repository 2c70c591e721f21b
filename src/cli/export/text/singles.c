
/* Tokens of slot `ordinal` of `slots` that share evenly, whole tokens to the first. */
INLINE whole share(whole tokens, int32_t ordinal, int32_t slots)
{
  const whole each = quotient(tokens, whole(slots));
  const mask first = whole(ordinal) < tokens - each * whole(slots);
  return each + pick_whole(first, whole(1), whole(0));
}

/* Serves the experts that live on one GPU alone, and returns its tokens so far. Of slots without an expert, `slots` is 0. */
FUNCTION whole serve_singles(const int32_t *label, int32_t gpu, int32_t first, int32_t end, const whole *load,
                             const whole *base, whole *quota)
{
  whole sum = base ? base[gpu] : whole(0);
  for (int32_t i = first; i < end; i++) {
    const int32_t *single = label + 4 * i; /* expert, slot, ordinal, slots */
    const whole tokens = load[single[0]];
    if (single[3] == 1) quota[single[1]] = tokens;
    else if (single[3] == 0) quota[single[1]] = whole(0);
    else quota[single[1]] = share(tokens, single[2], single[3]);
    if (single[2] == 0) sum += tokens;
  }
  return sum;
}

struct layer {
  const int32_t *label;
  const int32_t *copies; /* [EVENKEEL_EXPERTS, EVENKEEL_COPIES] slots of each expert, ascending, padded with -1 */
};
