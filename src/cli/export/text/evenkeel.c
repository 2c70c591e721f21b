
/* Whether each LP's loads are >= 0, and add up to 2^31 - 1 at most with the magnitudes of its base loads: no partial sum has the sign bit. */
static mask within_range(const whole *load, const whole *base)
{
  u32x4 sum = {0, 0, 0, 0};
  u32x4 seen = sum;
  for (int e = 0; e < EVENKEEL_EXPERTS; e++) {
    sum += (u32x4)load[e];
    seen |= sum | (u32x4)load[e];
  }
  for (int g = 0; base && g < EVENKEEL_GPUS; g++) {
    const u32x4 negative = (u32x4)(base[g] < whole(0));
    const u32x4 magnitude = ((u32x4)base[g] ^ negative) - negative;
    sum += magnitude;
    seen |= sum | magnitude;
  }
  return (whole)seen >= whole(0);
}

/* Rows of up to four LPs as columns of lanes; the last LP stands in for those that are missing. */
static void gather(whole *to, const int32_t *rows, size_t columns, size_t first, size_t lps)
{
  const int32_t *row[LANES];
  for (size_t lane = 0; lane < LANES; lane++) row[lane] = rows + (first + (lane < lps ? lane : lps - 1)) * columns;
  const size_t squared = columns - columns % LANES;
  for (size_t i = 0; i < squared; i += LANES) {
    for (size_t lane = 0; lane < LANES; lane++) memcpy(&to[i + lane], row[lane] + i, sizeof(whole));
    transpose(to + i);
  }
  for (size_t i = squared; i < columns; i++) to[i] = (whole){row[0][i], row[1][i], row[2][i], row[3][i]};
}

/* The way back. */
static void scatter(int32_t *rows, whole *from, size_t columns, size_t first, size_t lps)
{
  int32_t *row = rows + first * columns;
  const size_t squared = columns - columns % LANES;
  for (size_t i = 0; i < squared; i += LANES) {
    transpose(from + i);
    for (size_t lane = 0; lane < lps; lane++) memcpy(row + lane * columns + i, &from[i + lane], sizeof(whole));
  }
  for (size_t i = squared; i < columns; i++)
    for (size_t lane = 0; lane < lps; lane++) row[lane * columns + i] = from[i][lane];
}

/* Solves LPs first to first + lps - 1, at most four. Returns how many are left with a gap. */
static int solve_lanes(int32_t form, const struct layer *at, const int32_t *loads, const int32_t *bases, int32_t *quotas,
                       uint32_t *proofs, size_t first, size_t lps)
{
  whole load[EVENKEEL_EXPERTS], base[EVENKEEL_GPUS], quota[EVENKEEL_SLOTS];
  struct proof proof = {.closed = whole(0)};
  gather(load, loads, EVENKEEL_EXPERTS, first, lps);
  if (bases) gather(base, bases, EVENKEEL_GPUS, first, lps);
  const mask good = within_range(load, bases ? base : NULL);
  if (any(~good)) {
    for (int e = 0; e < EVENKEEL_EXPERTS; e++) load[e] &= good;
    for (int g = 0; bases && g < EVENKEEL_GPUS; g++) base[g] &= good;
  }

#define SOLVE(n) \
  case n: solve_##n(at->label, load, bases ? base : NULL, quota, &proof); break;
  switch (form) { FORMS(SOLVE) }

  proof.closed &= good;
  scatter(quotas, quota, EVENKEEL_SLOTS, first, lps);
  int left = 0;
  for (size_t lane = 0; lane < lps; lane++) {
    uint32_t *words = proofs + (first + lane) * EVENKEEL_PROOF;
    words[0] = proof.closed[lane] ? 0 : 1;
    words[1] = (uint32_t)proof.sweeps[lane];
    words[2] = (uint32_t)proof.moves[lane];
    for (int i = 0; i < WORDS; i++) words[3 + i] = proof.set[i][lane];
    left += words[0] != 0;
  }
  return left;
}

int evenkeel_solve(int32_t layer, const int32_t *load, const int32_t *base, int32_t *quota, uint32_t *proof,
                   int32_t batch)
{
  if (!is_exported(layer) || !load || !quota || !proof || batch < 0) return -1;
  const size_t lps = (size_t)batch;
  int left = 0;
  for (size_t first = 0; first < lps; first += LANES) {
    const size_t most = lps - first < LANES ? lps - first : LANES;
    left += solve_lanes(forms[layer], &layers[layer], load, base, quota, proof, first, most);
  }
  return left;
}

int evenkeel_shares(int32_t layer, const int32_t *quota, float *log2phy_prob, int32_t batch)
{
  if (!is_exported(layer) || !quota || !log2phy_prob || batch < 0) return -1;
  for (size_t p = 0; p < (size_t)batch; p++) {
    for (size_t e = 0; e < EVENKEEL_EXPERTS; e++) {
      write_shares(&layers[layer], e, quota + p * EVENKEEL_SLOTS, log2phy_prob + (p * EVENKEEL_EXPERTS + e) * EVENKEEL_COPIES);
    }
  }
  return 0;
}
