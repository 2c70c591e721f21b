
/* Threads of a block: one warp, so that a batch of few LPs is spread over many multiprocessors. */
#define THREADS 32

/* Whether an LP's loads are >= 0, and add up to 2^31 - 1 at most with the magnitudes of its base loads: no partial sum has the sign bit. */
static __device__ bool within_range(const int32_t *load, const int32_t *base)
{
  uint32_t sum = 0;
  uint32_t seen = 0;
  for (int e = 0; e < EVENKEEL_EXPERTS; e++) {
    sum += (uint32_t)load[e];
    seen |= sum | (uint32_t)load[e];
  }
  for (int g = 0; base && g < EVENKEEL_GPUS; g++) {
    const uint32_t magnitude = base[g] < 0 ? 0u - (uint32_t)base[g] : (uint32_t)base[g];
    sum += magnitude;
    seen |= sum | magnitude;
  }
  return (seen >> 31) == 0;
}

struct rows {
  const int32_t *load, *base; /* base may be NULL */
  int32_t *quota;
  uint32_t *proof;
};

/* What belongs to this thread's LP. */
static __device__ struct rows of_thread(struct rows all, size_t p)
{
  return {all.load + p * EVENKEEL_EXPERTS, all.base ? all.base + p * EVENKEEL_GPUS : NULL,
          all.quota + p * EVENKEEL_SLOTS, all.proof + p * EVENKEEL_PROOF};
}

static __device__ void write_proof(uint32_t *words, const struct proof *proof)
{
  words[0] = proof->closed ? 0 : 1;
  words[1] = (uint32_t)proof->sweeps;
  words[2] = (uint32_t)proof->moves;
  for (int i = 0; i < WORDS; i++) words[3 + i] = proof->set[i];
}

/* Nothing was solved. */
static __device__ void refuse(struct rows own)
{
  const struct proof none = {};
  for (int i = 0; i < EVENKEEL_SLOTS; i++) own.quota[i] = 0;
  write_proof(own.proof, &none);
}

#define KERNEL(n) \
  static __global__ void __launch_bounds__(THREADS) kernel_##n(int32_t layer, struct rows all, int32_t batch) \
  { \
    const size_t p = (size_t)blockIdx.x * THREADS + threadIdx.x; \
    if (p >= (size_t)batch) return; \
    const struct rows own = of_thread(all, p); \
    if (!within_range(own.load, own.base)) { refuse(own); return; } \
    struct proof proof = {}; \
    solve_##n(layers[layer].label, own.load, own.base, own.quota, &proof); \
    write_proof(own.proof, &proof); \
  }
FORMS(KERNEL)

static __global__ void __launch_bounds__(THREADS) shares_kernel(int32_t layer, const int32_t *quota, float *log2phy_prob,
                                                                size_t rows)
{
  const size_t row = (size_t)blockIdx.x * THREADS + threadIdx.x; /* of [batch, EVENKEEL_EXPERTS] */
  if (row >= rows) return;
  const size_t p = row / EVENKEEL_EXPERTS;
  write_shares(&layers[layer], row % EVENKEEL_EXPERTS, quota + p * EVENKEEL_SLOTS, log2phy_prob + row * EVENKEEL_COPIES);
}

static unsigned blocks_of(size_t threads) { return (unsigned)((threads + THREADS - 1) / THREADS); }

extern "C" cudaError_t evenkeel_launch(int32_t layer, const int32_t *load, const int32_t *base, int32_t *quota,
                                       uint32_t *proof, int32_t batch, cudaStream_t stream)
{
  if (!is_exported(layer) || batch < 0) return cudaErrorInvalidValue;
  if (batch == 0) return cudaSuccess; /* torch has no address for an empty tensor */
  if (!load || !quota || !proof) return cudaErrorInvalidValue;
  const struct rows all = {load, base, quota, proof};
  const unsigned blocks = blocks_of((size_t)batch);
#define LAUNCH(n) \
  case n: kernel_##n<<<blocks, THREADS, 0, stream>>>(layer, all, batch); break;
  switch (forms[layer]) { FORMS(LAUNCH) }
  return cudaGetLastError();
}

extern "C" cudaError_t evenkeel_launch_shares(int32_t layer, const int32_t *quota, float *log2phy_prob, int32_t batch,
                                              cudaStream_t stream)
{
  if (!is_exported(layer) || batch < 0) return cudaErrorInvalidValue;
  if (batch == 0) return cudaSuccess;
  if (!quota || !log2phy_prob) return cudaErrorInvalidValue;
  const size_t rows = (size_t)batch * EVENKEEL_EXPERTS;
  if (rows > (size_t)INT32_MAX) return cudaErrorInvalidValue;
  shares_kernel<<<blocks_of(rows), THREADS, 0, stream>>>(layer, quota, log2phy_prob, rows);
  return cudaGetLastError();
}
