/* Solves a batch again and again, as often as it is asked to, and says what each time took. */
#include "evenkeel.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double microseconds(void)
{
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* main LOADS QUOTAS BATCH: words [LAYERS, BATCH, EXPERTS] are read, [LAYERS, BATCH, SLOTS] written once; a line each time a byte is read. */
int main(int arguments, char **argument)
{
  if (arguments != 4) return 1;
  const size_t batch = (size_t)atoi(argument[3]);
  const size_t all = EVENKEEL_LAYERS * batch;
  int32_t *load = malloc(all * EVENKEEL_EXPERTS * sizeof *load);
  int32_t *quota = malloc(all * EVENKEEL_SLOTS * sizeof *quota);
  uint32_t *proof = malloc(all * EVENKEEL_PROOF * sizeof *proof);
  FILE *loads = fopen(argument[1], "rb");
  if (!load || !quota || !proof || !loads) return 1;
  if (fread(load, sizeof *load, all * EVENKEEL_EXPERTS, loads) != all * EVENKEEL_EXPERTS) return 1;
  fclose(loads);
  int written = 0;
  while (getchar() != EOF) {
    int left = 0;
    const double begun = microseconds();
    for (size_t layer = 0; layer < EVENKEEL_LAYERS; layer++) {
      const size_t first = layer * batch;
      left |= evenkeel_solve((int32_t)layer, load + first * EVENKEEL_EXPERTS, NULL, quota + first * EVENKEEL_SLOTS,
                             proof + first * EVENKEEL_PROOF, (int32_t)batch);
    }
    const double took = microseconds() - begun;
    if (left) return 1;
    if (!written++) {
      FILE *quotas = fopen(argument[2], "wb");
      if (!quotas || fwrite(quota, sizeof *quota, all * EVENKEEL_SLOTS, quotas) != all * EVENKEEL_SLOTS) return 1;
      fclose(quotas);
    }
    printf("%.3f\n", took);
    fflush(stdout);
  }
  return 0;
}
