
static int is_exported(int32_t layer) { return layer >= 0 && layer < EVENKEEL_LAYERS && forms[layer] >= 0; }

/* One expert's row of log2phy_prob, from the quotas of one LP. */
FUNCTION void write_shares(const struct layer *at, size_t expert, const int32_t *quota, float *row)
{
  const int32_t *slot = at->copies + expert * EVENKEEL_COPIES;
  int copies = 0;
  int64_t tokens = 0;
  while (copies < EVENKEEL_COPIES && slot[copies] >= 0) tokens += quota[slot[copies++]];
  for (int i = 0; i < EVENKEEL_COPIES; i++) {
    /* A quotient of doubles, rounded once more: to the bit what the evenkeel package answers. */
    if (i >= copies) row[i] = 0.0f;
    else row[i] = (float)(tokens != 0 ? (double)quota[slot[i]] / (double)tokens : 1.0 / copies);
  }
}
