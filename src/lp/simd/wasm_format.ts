/** Words of WebAssembly's binary format: as many as a recorded program needs. */

export const wasm = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  call: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  i32Const: 0x41,
  i32Eqz: 0x45,
  i32Mul: 0x6c,
  i32: 0x7f,
  /** No result. */
  empty: 0x40,
  function: 0x60,
  v128: 0x7b,
  simd: 0xfd,
} as const;

export const simd = {
  load: 0x00,
  store: 0x0b,
  constant: 0x0c,
  shuffle: 0x0d,
  bitselect: 0x52,
  anyTrue: 0x53,
  load32Lane: 0x56,
  store8Lane: 0x58,
  store32Lane: 0x5a,
  load32Zero: 0x5c,
  f32x4Add: 0xe4,
  f64x2Div: 0xf3,
  truncatedF32x4: 0xf8,
  truncatedF64x2: 0xfc,
  f64x2OfLow: 0xfe,
} as const;

export const magic = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
export const memoryExport = [...name("memory"), 2, 0];

/** In LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** In LEB128, of a value >= 0: the top bit would be its sign. */
export function signed(value: number): number[] {
  const bytes = unsigned(value);
  const top = bytes.length - 1;
  if ((bytes[top] & 0x40) === 0) return bytes;
  bytes[top] |= 0x80;
  return [...bytes, 0];
}

export function name(text: string): number[] {
  return [...unsigned(text.length), ...Array.from(text, (letter) => letter.charCodeAt(0))];
}

export function vector(items: readonly number[][]): number[] {
  return unsigned(items.length).concat(...items);
}

export function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length)].concat(content);
}
