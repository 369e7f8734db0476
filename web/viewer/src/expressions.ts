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

const both = (name: string, weight: number) => ({ [`${name}Left`]: weight, [`${name}Right`]: weight });

/** Faces that people make, of ARKit's expressions. */
export const PRESETS: Record<string, Record<string, number>> = {
  Smile: { ...both("mouthSmile", 0.75), ...both("cheekSquint", 0.5), ...both("eyeSquint", 0.2) },
  Laugh: { ...both("mouthSmile", 0.85), ...both("cheekSquint", 0.7), ...both("eyeSquint", 0.4), ...both("mouthUpperUp", 0.3), jawOpen: 0.32 },
  Wink: { eyeBlinkLeft: 1, mouthSmileLeft: 0.65, mouthSmileRight: 0.25, cheekSquintLeft: 0.7, browDownLeft: 0.25 },
  Surprise: { jawOpen: 0.45, browInnerUp: 0.9, ...both("browOuterUp", 0.8), ...both("eyeWide", 0.7) },
  Kiss: { mouthPucker: 1, mouthFunnel: 0.2, ...both("eyeBlink", 0.9) },
  Anger: { ...both("browDown", 0.9), ...both("noseSneer", 0.5), ...both("mouthFrown", 0.4), ...both("mouthPress", 0.4), ...both("eyeSquint", 0.3) },
  Sadness: { browInnerUp: 0.9, ...both("mouthFrown", 0.75), mouthShrugLower: 0.35, ...both("eyeLookDown", 0.35) },
};

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
