
/* One LP for each thread, its topology part of the code: scalars in registers, no dynamic index but of labels, no shared memory, no barrier. */
#define FUNCTION static __device__
#define INLINE static __device__ inline __attribute__((unused))
#define TABLE static __device__ const

typedef float real;
typedef int32_t whole;
typedef bool mask;

#define real(x) (x)
#define whole(x) (x)

INLINE whole pick_whole(mask m, whole yes, whole no) { return m ? yes : no; }
INLINE real pick_real(mask m, real yes, real no) { return m ? yes : no; }
INLINE whole min_whole(whole a, whole b) { return a < b ? a : b; }
INLINE whole max_whole(whole a, whole b) { return a < b ? b : a; }
INLINE real min_real(real a, real b) { return fminf(a, b); }
INLINE real max_real(real a, real b) { return fmaxf(a, b); }
INLINE real to_real(whole a) { return (real)a; }
INLINE whole rounded(real a) { return (whole)(a + 0.5f); }
INLINE whole quotient(whole a, whole b) { return a / b; }

struct proof {
  mask closed;
  whole sweeps, moves;
  uint32_t set[WORDS];
};

INLINE void add_member(struct proof *proof, int32_t gpu, whole member)
{
  const int word = WORDS == 1 ? 0 : gpu >> 5; /* one word stays in a register */
  proof->set[word] |= (uint32_t)member << (gpu & 31);
}
