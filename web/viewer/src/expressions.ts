/** Names of expressions as people read them, and their places on the face. */

const GROUPS: [title: string, begins: RegExp][] = [
  ["Brows", /^brow/],
  ["Eyes", /^eye/],
  ["Cheeks and nose", /^(cheek|nose)/],
  ["Jaw", /^jaw/],
  ["Mouth", /^mouth/],
  ["Tongue", /^tongue/],
];

const OTHERS = "Shapes";

/** `mouthSmileLeft` is "Mouth smile left". */
export function readable(name: string): string {
  const words = name
    .replace(/[_-]+/g, " ")
    .replace(/([a-z])([A-Z0-9])/g, "$1 $2")
    .toLowerCase()
    .trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function grouped(names: string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>(GROUPS.map(([title]) => [title, []]));
  groups.set(OTHERS, []);
  for (const name of names) {
    const title = GROUPS.find(([, begins]) => begins.test(name))?.[0] ?? OTHERS;
    groups.get(title)!.push(name);
  }
  for (const [title, members] of groups) if (!members.length) groups.delete(title);
  return groups;
}

/** The same expression on the other side of the face; empty if it has none. */
export function otherSide(name: string): string {
  if (name.endsWith("Left")) return name.slice(0, -4) + "Right";
  if (name.endsWith("Right")) return name.slice(0, -5) + "Left";
  return "";
}
