/** What a head does while nobody touches it: it blinks, and sways a little. */

const AFTER_MS = 2500; // without a touch it begins
const UNTIL_MS = 120_000; // and ends, to spare batteries
const FRAME_MS = 30;
const SLOW_MS = 250; // a machine that takes so long for a frame has better things to do
const SLOW_FRAMES = 3;
const EASE_MS = 700; // from rest, and a third of it back to rest
const CLOSING_MS = 90;
const OPENING_MS = 170;
const BLINKS_MS: [least: number, most: number] = [2200, 5200]; // between two
const TOUCHES = ["pointerdown", "wheel", "keydown", "input"] as const;

/** Degrees to the right, down, and to the side. */
export type Sway = [turn: number, nod: number, tilt: number];

export class Idle {
  private touched_ms = performance.now();
  private stepped_ms = 0;
  private share = 0;
  private slow = 0;
  private blink_ms = 0;
  private timer = 0;

  /** `allowed` tells whether the head may move now; `move` moves it; `draw` asks for a frame. */
  constructor(
    private readonly allowed: () => boolean,
    private readonly move: (sway: Sway, blink: number) => void,
    private readonly draw: () => void,
  ) {
    for (const touch of TOUCHES) addEventListener(touch, () => this.touch(), { capture: true, passive: true });
    document.addEventListener("visibilitychange", () => this.touch());
    this.touch();
  }

  /** Something has happened: stay still for a while. */
  touch(): void {
    this.touched_ms = performance.now();
    if (this.share > 0) this.draw();
    this.wait(AFTER_MS);
  }

  /** Of each frame that is drawn. */
  step(now_ms: number): void {
    const since_ms = now_ms - this.touched_ms;
    const alive = since_ms >= AFTER_MS - FRAME_MS && since_ms < UNTIL_MS && this.slow < SLOW_FRAMES && !document.hidden && this.allowed();
    if (!alive && !this.share) return;
    const passed_ms = this.share ? now_ms - this.stepped_ms : 0;
    this.stepped_ms = now_ms;
    if (passed_ms > SLOW_MS) this.slow++;
    if (!this.share) this.blink_ms = now_ms + 400;
    const change = alive ? Math.max(passed_ms, 1) / EASE_MS : (-3 * passed_ms) / EASE_MS;
    this.share = Math.min(Math.max(this.share + change, 0), 1);
    if (this.blink_ms + CLOSING_MS + OPENING_MS < now_ms) {
      const [least, most] = BLINKS_MS;
      this.blink_ms = now_ms + least + Math.random() * (most - least);
    }
    this.move(swayed(now_ms, this.share), alive ? lids(now_ms - this.blink_ms) : 0);
    this.wait(alive || this.share ? FRAME_MS : AFTER_MS);
  }

  private wait(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.draw, ms);
  }
}

function swayed(now_ms: number, share: number): Sway {
  const wave = (period_s: number, phase: number) => Math.sin((2 * Math.PI * now_ms) / 1000 / period_s + phase);
  const eased = share * share * (3 - 2 * share);
  return [eased * (1.5 * wave(7.3, 0) + 0.5 * wave(3.1, 1)), eased * 0.7 * wave(5.3, 2), eased * 0.5 * wave(8.9, 4)];
}

/** How far lids are closed so long after a blink's beginning. */
function lids(passed_ms: number): number {
  if (passed_ms < 0) return 0;
  const closed = passed_ms < CLOSING_MS ? passed_ms / CLOSING_MS : 1 - (passed_ms - CLOSING_MS) / OPENING_MS;
  const share = Math.min(Math.max(closed, 0), 1);
  return share * share * (3 - 2 * share);
}
