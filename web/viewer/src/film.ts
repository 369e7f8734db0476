/** Heads that move in time: a bar to play them, and the film they were seen in beside them. */
import { element } from "./dom";
import type { FilmView } from "./page";

export class Player {
  private readonly video = element<HTMLVideoElement>("film");
  private readonly button = element<HTMLButtonElement>("film-play");
  private readonly slider = element<HTMLInputElement>("film-time");
  private readonly clock = element<HTMLOutputElement>("film-clock");
  private duration_s = 0;
  private playing = false;
  private time_s = 0;
  private last_ms = 0;
  private shown_s = -1;

  /** `moved` is called with each time that is to be shown, `changed` when a frame is needed. */
  constructor(
    private readonly film: FilmView | undefined,
    private readonly moved: (time_s: number, at_rest: boolean) => void,
    private readonly changed: () => void,
  ) {
    this.button.addEventListener("click", () => this.toggle());
    this.slider.addEventListener("input", () => this.seek(this.slider.valueAsNumber));
    if (!film) return;
    const { video } = this;
    video.src = film.address;
    video.hidden = false;
    document.body.dataset.film = "";
    for (const name of ["play", "pause"] as const) video.addEventListener(name, () => this.show(!video.paused));
    video.addEventListener("loadedmetadata", () => this.last(video.duration));
    video.addEventListener("seeked", changed);
    video.addEventListener("click", () => this.toggle());
    video.addEventListener("error", () => {
      element("film-lost").hidden = false; // it is played without the film
      video.hidden = true;
      delete document.body.dataset.film;
      dispatchEvent(new Event("resize"));
    });
  }

  /** Play a head whose tracks end at this time; 0 of one that has none. */
  take(duration_s: number): void {
    element("film-bar").hidden = duration_s === 0;
    document.body.toggleAttribute("data-moving", duration_s > 0);
    this.duration_s = 0;
    this.last(Math.max(duration_s, this.withFilm && this.video.duration ? this.video.duration : 0));
    this.shown_s = -1;
    this.step(performance.now());
  }

  toggle(): void {
    if (!this.duration_s) return;
    if (this.withFilm) {
      if (this.video.paused) void this.video.play();
      else this.video.pause();
    } else this.show(!this.playing);
  }

  pause(): void {
    if (this.playing) this.toggle();
  }

  /** Go on in time; whether there is more of it. */
  step(now_ms: number): boolean {
    if (!this.duration_s) return false;
    if (this.withFilm) this.time_s = this.video.currentTime;
    else if (this.playing) this.time_s = (this.time_s + (now_ms - this.last_ms) / 1000) % this.duration_s;
    this.last_ms = now_ms;
    if (this.time_s !== this.shown_s) {
      this.shown_s = this.time_s;
      this.slider.value = `${this.time_s}`;
      this.slider.style.setProperty("--to", `${(100 * this.time_s) / this.duration_s}%`);
      this.clock.value = `${minutes(this.time_s)} / ${minutes(this.duration_s)}`;
      this.moved(this.time_s, !this.playing);
    }
    return this.playing;
  }

  private get withFilm(): boolean {
    return this.film !== undefined && !this.video.hidden;
  }

  private seek(time_s: number): void {
    if (this.withFilm) this.video.currentTime = time_s;
    this.time_s = time_s;
    this.changed();
  }

  private last(duration_s: number): void {
    this.duration_s = Math.max(this.duration_s, duration_s);
    this.slider.max = `${this.duration_s}`;
    this.shown_s = -1;
    this.changed();
  }

  private show(playing: boolean): void {
    this.playing = playing;
    this.last_ms = performance.now();
    this.shown_s = -1;
    this.button.setAttribute("aria-pressed", `${playing}`);
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.changed();
  }
}

function minutes(time_s: number): string {
  return `${Math.floor(time_s / 60)}:${(time_s % 60).toFixed(1).padStart(4, "0")}`;
}
