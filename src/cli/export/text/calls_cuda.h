/*
 * Arrays are in memory of the current device, row-major without gaps, batch first, and the caller's: used within these lengths alone, until the
 * stream has passed the call. Outputs overlap nothing. A call launches one kernel on the stream, allocates nothing and waits for nothing, so that a
 * CUDA graph may capture it. Make one before the capture: the first loads the module.
 *
 * Nobody counts the LPs that are left with a gap, which would take an atomic and a clearing before it: their status is in `proof`.
 *
 * Both return what the launch did; cudaErrorInvalidValue, with nothing launched, if layer is not exported, batch < 0, a pointer other than
 * base is NULL, or log2phy_prob has more than 2^31 - 1 rows.
 */
#ifdef __cplusplus
extern "C" {
#endif
cudaError_t evenkeel_launch(int32_t layer, const int32_t *load, const int32_t *base, int32_t *quota, uint32_t *proof,
                            int32_t batch, cudaStream_t stream);
cudaError_t evenkeel_launch_shares(int32_t layer, const int32_t *quota, float *log2phy_prob, int32_t batch,
                                   cudaStream_t stream);
#ifdef __cplusplus
}
#endif
#endif
