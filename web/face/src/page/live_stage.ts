/** The viewer's stage, whose head may turn as a person before the camera does. */
import { Stage } from "../../../viewer/src/stage";
import { viewerFromCamera, type Matrix3 } from "../geometry/rotation";

export class LiveStage extends Stage {
  /** Turn the head as the camera sees it, in a mirror. */
  turnHead(rotation: Matrix3): void {
    if (!this.head) return;
    const [x, y, z] = viewerFromCamera(rotation);
    // prettier-ignore
    this.head.root.matrix.set(
      -x[0], -x[1], -x[2], 0,
      y[0], y[1], y[2], 0,
      z[0], z[1], z[2], 0,
      0, 0, 0, 1,
    );
    this.draw();
  }
}
