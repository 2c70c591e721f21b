/* Solves a batch on the GPU again and again, as often as it is asked to, and says what each time took, by the wall clock and on the GPU. */
#include "evenkeel.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

static void check(cudaError_t status)
{
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s\n", cudaGetErrorString(status));
  std::exit(1);
}

static double microseconds()
{
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* Of words [rows, columns] on the GPU, with a bit pattern in them that no answer has. */
static void *allocated(size_t rows, size_t columns)
{
  void *words;
  check(cudaMalloc(&words, rows * columns * 4));
  check(cudaMemset(words, 0xa5, rows * columns * 4));
  return words;
}

/* main LOADS QUOTAS BATCH: words [LAYERS, BATCH, EXPERTS] are read, [LAYERS, BATCH, SLOTS] written once; a line each time a byte is read. */
int main(int arguments, char **argument)
{
  if (arguments != 4) return 1;
  const size_t batch = (size_t)std::atoi(argument[3]);
  const size_t all = EVENKEEL_LAYERS * batch;
  std::vector<int32_t> load(all * EVENKEEL_EXPERTS), quota(all * EVENKEEL_SLOTS);
  std::vector<uint32_t> proof(all * EVENKEEL_PROOF);
  FILE *loads = std::fopen(argument[1], "rb");
  if (!loads || std::fread(load.data(), 4, load.size(), loads) != load.size()) return 1;
  std::fclose(loads);

  int32_t *on_load = (int32_t *)allocated(all, EVENKEEL_EXPERTS), *on_quota = (int32_t *)allocated(all, EVENKEEL_SLOTS);
  uint32_t *on_proof = (uint32_t *)allocated(all, EVENKEEL_PROOF);
  check(cudaMemcpy(on_load, load.data(), load.size() * 4, cudaMemcpyHostToDevice));
  cudaEvent_t begun, ended;
  check(cudaEventCreate(&begun));
  check(cudaEventCreate(&ended));
  int written = 0;
  while (std::getchar() != EOF) {
    const double called = microseconds();
    check(cudaEventRecord(begun));
    for (size_t layer = 0; layer < EVENKEEL_LAYERS; layer++) {
      const size_t first = layer * batch;
      check(evenkeel_launch((int32_t)layer, on_load + first * EVENKEEL_EXPERTS, NULL, on_quota + first * EVENKEEL_SLOTS,
                            on_proof + first * EVENKEEL_PROOF, (int32_t)batch, 0));
    }
    check(cudaEventRecord(ended));
    check(cudaEventSynchronize(ended));
    const double took = microseconds() - called;
    float ms;
    check(cudaEventElapsedTime(&ms, begun, ended));
    if (!written++) {
      check(cudaMemcpy(quota.data(), on_quota, quota.size() * 4, cudaMemcpyDeviceToHost));
      check(cudaMemcpy(proof.data(), on_proof, proof.size() * 4, cudaMemcpyDeviceToHost));
      for (size_t p = 0; p < all; p++)
        if (proof[p * EVENKEEL_PROOF] != 0) return 1;
      FILE *quotas = std::fopen(argument[2], "wb");
      if (!quotas || std::fwrite(quota.data(), 4, quota.size(), quotas) != quota.size()) return 1;
      std::fclose(quotas);
    }
    std::printf("%.3f %.3f\n", took, ms * 1e3);
    std::fflush(stdout);
  }
  return 0;
}
