declare module "*.packed?url" {
  const address: string;
  export default address;
}
declare module "*.onnx?url" {
  const address: string;
  export default address;
}
