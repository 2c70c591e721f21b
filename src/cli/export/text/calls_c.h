/*
 * Arrays are row-major without gaps, batch first, and the caller's: used within these lengths and during the call alone. Outputs overlap nothing.
 * Nothing is allocated and no state is global: any number of threads may call at once. At -O2 a call takes up to about STACK KiB of stack.
 *
 * evenkeel_solve returns how many LPs are left with a gap, evenkeel_shares 0; both -1, with nothing written, if layer is not exported, batch < 0, or
 * a pointer other than base is NULL.
 */
#ifdef __cplusplus
extern "C" {
#endif
int evenkeel_solve(int32_t layer, const int32_t *load, const int32_t *base, int32_t *quota, uint32_t *proof,
                   int32_t batch);
int evenkeel_shares(int32_t layer, const int32_t *quota, float *log2phy_prob, int32_t batch);
#ifdef __cplusplus
}
#endif
#endif
