
/* Four LPs at once, one in each lane of a vector: compiler vectors, as GCC and Clang have them on any machine. A branch is a mask. */
#define FUNCTION static
#define INLINE static inline __attribute__((unused))
#define TABLE static const
#define LANES 4

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef f32x4 real;
typedef i32x4 whole;
typedef i32x4 mask; /* of each lane all bits, or none */

#define real(x) ((f32x4){x, x, x, x})
#define whole(x) ((i32x4){x, x, x, x})

INLINE whole pick_whole(mask m, whole yes, whole no) { return (m & yes) | (~m & no); }
INLINE real pick_real(mask m, real yes, real no) { return (real)pick_whole(m, (whole)yes, (whole)no); }
INLINE whole min_whole(whole a, whole b) { return pick_whole(a < b, a, b); }
INLINE whole max_whole(whole a, whole b) { return pick_whole(a < b, b, a); }
#ifdef __SSE2__ /* what GCC does not make of a comparison by itself */
#include <emmintrin.h>
INLINE real min_real(real a, real b) { return (real)_mm_min_ps((__m128)a, (__m128)b); }
INLINE real max_real(real a, real b) { return (real)_mm_max_ps((__m128)a, (__m128)b); }
INLINE int any(mask m) { return _mm_movemask_ps((__m128)m); }
INLINE void transpose(whole *square)
{
  __m128 a = (__m128)square[0], b = (__m128)square[1], c = (__m128)square[2], d = (__m128)square[3];
  _MM_TRANSPOSE4_PS(a, b, c, d);
  square[0] = (whole)a, square[1] = (whole)b, square[2] = (whole)c, square[3] = (whole)d;
}
#else
INLINE real min_real(real a, real b) { return pick_real(a < b, a, b); }
INLINE real max_real(real a, real b) { return pick_real(a < b, b, a); }
INLINE int any(mask m) { return (m[0] | m[1] | m[2] | m[3]) != 0; }
INLINE void transpose(whole *square)
{
  const whole a = square[0], b = square[1], c = square[2], d = square[3];
  for (int i = 0; i < LANES; i++) square[i] = (whole){a[i], b[i], c[i], d[i]};
}
#endif

INLINE real to_real(whole a) { return __builtin_convertvector(a, real); }
INLINE whole rounded(real a) { return __builtin_convertvector(a + real(0.5f), whole); }

/* Lanes that are masked off may have any b. */
INLINE whole quotient(whole a, whole b)
{
  whole q;
  for (int i = 0; i < LANES; i++) q[i] = b[i] > 0 ? a[i] / b[i] : 0;
  return q;
}

struct proof {
  mask closed;
  whole sweeps, moves;
  u32x4 set[WORDS];
};

INLINE void add_member(struct proof *proof, int32_t gpu, whole member)
{
  const uint32_t bit = 1u << (gpu & 31);
  proof->set[gpu >> 5] |= (u32x4)-member & (u32x4){bit, bit, bit, bit};
}
