/** WebGPU's flags by number, as the specification fixes them: in Node they are no globals until somebody makes them so. */
export const bufferUsage = {
  MAP_READ: 0x0001,
  COPY_SRC: 0x0004,
  COPY_DST: 0x0008,
  UNIFORM: 0x0040,
  STORAGE: 0x0080,
  QUERY_RESOLVE: 0x0200,
} as const;
/** Bytes of what a buffer holds: u32, i32 and f32. */
export const WORD = 4;
export const MAP_READ_MODE = 0x0001;
export const COMPUTE_STAGE = 0x4;
