/** Parts of what is exported, as they are. */
declare module "*.c" {
  const text: string;
  export default text;
}
declare module "*.cu" {
  const text: string;
  export default text;
}
declare module "*.h" {
  const text: string;
  export default text;
}
declare module "*.py" {
  const text: string;
  export default text;
}
declare module "*.mk" {
  const text: string;
  export default text;
}
