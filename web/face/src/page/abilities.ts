/** What the page needs of a browser. */

/** The smallest module with a SIMD instruction (i8x16.popcnt of i8x16.splat). */
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** What this browser lacks, in one line; empty if it lacks nothing. */
export function lacking(): string {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) return "This browser cannot run WebAssembly with SIMD, which the networks need.";
  if (!("DecompressionStream" in window) || !("OffscreenCanvas" in window)) return "This browser is too old for this page.";
  if (!document.createElement("canvas").getContext("webgl2")) return "This browser or machine has no WebGL 2, which draws the head.";
  return "";
}

export const hasCamera = (): boolean => Boolean(navigator.mediaDevices?.getUserMedia);
