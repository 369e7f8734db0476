/** What the page holds (written by mlanet.viewing) and how it is unpacked. */

export interface PhotoView {
  jpeg: number;
  size_px: [number, number];
  focal_length_px: number;
  principal_point_px: [number, number];
  rotation: number[][];
  translation_mm: number[];
}

export interface ViewedHead {
  name: string;
  /** Pieces that make up the file. */
  glb: number[];
  photo?: PhotoView;
  /** Piece with all identity modes of a mesh, by its name. */
  shape?: Record<string, number>;
}

/** A film beside the page, and its width and height. */
export interface FilmView {
  address: string;
  size_px: [number, number];
}

interface Content {
  title: string;
  film?: FilmView;
  heads: ViewedHead[];
  pieces: [bytes: number, sorted: boolean][];
}

export class Page {
  private constructor(
    private readonly content: Content,
    private readonly pieces: Uint8Array<ArrayBuffer>[],
  ) {}

  static async read(): Promise<Page> {
    const content = JSON.parse(text("page")) as Content;
    const data = await inflated(decoded(text("data")));
    let start = 0;
    const pieces = content.pieces.map(([bytes, sorted]) => {
      const piece = data.subarray(start, (start += bytes));
      return sorted ? numbersOf(piece) : piece;
    });
    return new Page(content, pieces);
  }

  get title(): string {
    return this.content.title;
  }

  get film(): FilmView | undefined {
    return this.content.film;
  }

  get heads(): ViewedHead[] {
    return this.content.heads;
  }

  piece(number: number): Uint8Array<ArrayBuffer> {
    return this.pieces[number]!;
  }

  async glb(head: ViewedHead): Promise<ArrayBuffer> {
    return new Blob(head.glb.map((number) => this.piece(number))).arrayBuffer();
  }

  photo(photo: PhotoView): string {
    return URL.createObjectURL(new Blob([this.piece(photo.jpeg)], { type: "image/jpeg" }));
  }
}

function text(id: string): string {
  const element = document.getElementById(id);
  if (!element) throw new Error("this page holds no head");
  return element.textContent ?? "";
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undo the sorting by bytes of numbers: first bytes, second bytes, third, fourth, the rest. */
function numbersOf(sorted: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = sorted.length >> 2;
  const bytes = new Uint8Array(sorted);
  for (let i = 0; i < count; i++)
    for (let k = 0; k < 4; k++) bytes[4 * i + k] = sorted[k * count + i]!;
  return bytes;
}
