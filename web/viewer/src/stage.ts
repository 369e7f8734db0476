/** Light, cameras and controls around a head. Draws only when something has changed. */
import {
  Box3,
  Color,
  DirectionalLight,
  Euler,
  HemisphereLight,
  MathUtils,
  Matrix4,
  NeutralToneMapping,
  NoToneMapping,
  PerspectiveCamera,
  PMREMGenerator,
  Scene,
  Spherical,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";
import type { Head, Mode } from "./head";
import type { PhotoView } from "./page";

const FIELD_DEG = 22; // a portrait lens
const FILLED = 0.86; // share of the height that the head takes
const FIRST_TURN_DEG = 16;
const FIRST_TILT_DEG = 87; // from straight above
const RIM_TURN = MathUtils.degToRad(142); // of the lights behind the head, from the viewer
const RIM_TILT = MathUtils.degToRad(75);
const STEP_DEG = 6; // of an arrow key
const RETURN_MS = 450;
const MM = 1e-3;

export class Stage {
  readonly camera = new PerspectiveCamera(FIELD_DEG, 1, 0.01, 20);
  onframe: ((now_ms: number) => boolean) | undefined;
  /** Seen from the front at first, as a film's camera sees it. */
  frontal = false;
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly controls: OrbitControls;
  private readonly key = new DirectionalLight(0xfff9f2);
  private readonly fill = new DirectionalLight(0xdfe9ff);
  private readonly rims = [new DirectionalLight(0xffffff), new DirectionalLight(0xfff4e8)];
  private readonly sky = new HemisphereLight(0xffffff, 0xe4ded8);
  private readonly photoCamera = new PerspectiveCamera();
  protected head: Head | undefined;
  private photo: PhotoView | undefined;
  protected mode: Mode = "textured";
  private brightness = 1;
  private lightTurn = 0;
  private home = { target: new Vector3(), distance: 1 };
  private pending = 0;
  private returning: { from: Spherical; target: Vector3; start_ms: number } | undefined;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly still: MediaQueryList,
  ) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    const room = new PMREMGenerator(this.renderer);
    this.scene.environment = room.fromScene(new RoomEnvironment(), 0.04).texture;
    room.dispose();
    this.scene.add(this.key, this.key.target, this.fill, this.fill.target, this.sky, ...this.rims);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = !still.matches;
    this.controls.dampingFactor = 0.09;
    this.controls.rotateSpeed = 0.8;
    this.controls.minPolarAngle = MathUtils.degToRad(12);
    this.controls.maxPolarAngle = MathUtils.degToRad(168);
    this.controls.autoRotateSpeed = 2.4;
    this.controls.addEventListener("change", () => this.draw());
    this.controls.addEventListener("start", () => (this.returning = undefined));
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement!);
  }

  place(head: Head, photo: PhotoView | undefined): void {
    if (this.head) this.scene.remove(this.head.root);
    this.head = head;
    this.photo = photo;
    this.scene.add(head.root);
    head.root.matrixAutoUpdate = false;
    head.root.matrix.identity();
    this.frame(head.box());
    this.resize();
  }

  show(mode: Mode): void {
    this.mode = mode;
    this.dim();
    this.controls.enabled = !this.inPhoto;
    this.head?.root.matrix.copy(this.inPhoto ? inCamera(this.photo!) : new Matrix4());
    const { color, borderTopColor } = getComputedStyle(this.canvas);
    this.head?.show(mode, new Color(color), new Color(borderTopColor));
    this.draw();
  }

  /** Where light comes from (degrees to the viewer's right) and how strong it is. */
  light(turn_deg: number, brightness: number): void {
    this.lightTurn = MathUtils.degToRad(turn_deg);
    this.brightness = brightness;
    this.dim();
    this.draw();
  }

  /** Lights go with the viewer, so that every side of the head is seen well. */
  private turnLights(): void {
    const turn = this.lightTurn + (this.inPhoto ? 0 : this.controls.getAzimuthalAngle());
    this.key.position.setFromSphericalCoords(2, MathUtils.degToRad(58), turn);
    this.fill.position.setFromSphericalCoords(2, MathUtils.degToRad(80), turn + 2.1);
    const view = this.inPhoto ? 0 : this.controls.getAzimuthalAngle();
    this.rims.forEach((rim, k) => rim.position.setFromSphericalCoords(2, RIM_TILT, view + [RIM_TURN, -RIM_TURN][k]!));
    this.scene.environmentRotation.y = turn;
  }

  /** Soft on textures, which have light of their own, and whose colours tone mapping would saturate;
   * harder on clay, to show its shape. */
  private dim(): void {
    this.renderer.toneMapping = this.mode === "textured" ? NoToneMapping : NeutralToneMapping;
    const [key, fill, sky, room, rim] = this.mode === "textured" ? [0.5, 0.3, 2.6, 0.25, 0.2] : [2.0, 0.4, 0.4, 0.32, 0.8];
    this.key.intensity = key! * this.brightness;
    this.fill.intensity = fill! * this.brightness;
    for (const each of this.rims) each.intensity = rim! * this.brightness;
    this.sky.intensity = sky! * this.brightness;
    this.scene.environmentIntensity = room! * this.brightness;
  }

  /** Turn the head itself a little, in degrees; not in the photo, where it has its place. */
  sway(turn: number, nod: number, tilt: number): void {
    if (this.inPhoto || !this.head) return;
    const [x, y, z] = [nod, turn, tilt].map(MathUtils.degToRad);
    this.head.root.matrix.makeRotationFromEuler(new Euler(x, y, z));
    this.head.root.matrixWorldNeedsUpdate = true;
  }

  /** Turn the head by steps to the right and up, as a drag that way would. */
  turnBy(right: number, up: number): void {
    const place = this.spherical();
    place.theta -= MathUtils.degToRad(STEP_DEG) * right;
    place.phi += MathUtils.degToRad(STEP_DEG) * up;
    this.move(place, this.controls.target);
  }

  zoomBy(factor: number): void {
    const place = this.spherical();
    place.radius *= factor;
    this.move(place, this.controls.target);
  }

  set turning(on: boolean) {
    this.controls.autoRotate = on;
    this.draw();
  }

  get turning(): boolean {
    return this.controls.autoRotate;
  }

  /** Back to the first view: at once where motion is not wanted. */
  reset(): void {
    if (this.still.matches) return this.move(this.first(), this.home.target);
    const from = this.spherical();
    from.theta = MathUtils.euclideanModulo(from.theta + Math.PI, 2 * Math.PI) - Math.PI;
    const target = this.controls.target.clone();
    this.returning = { from, target, start_ms: performance.now() };
    this.draw();
  }

  /** Ask for a frame. */
  draw(): void {
    this.pending ||= requestAnimationFrame((now_ms) => this.render(now_ms));
  }

  picture(): Promise<Blob | null> {
    this.render(performance.now());
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }

  private render(now_ms: number): void {
    this.pending = 0;
    let more = this.onframe?.(now_ms) ?? false;
    if (this.returning) more = this.goBack(now_ms) || more;
    if (!this.inPhoto) this.controls.update();
    this.turnLights();
    this.renderer.render(this.scene, this.inPhoto ? this.photoCamera : this.camera);
    if (more || (this.controls.autoRotate && !this.inPhoto)) this.draw();
  }

  private get inPhoto(): boolean {
    return this.mode === "photo" && this.photo !== undefined;
  }

  private goBack(now_ms: number): boolean {
    const { from, target, start_ms } = this.returning!;
    const share = Math.min((now_ms - start_ms) / RETURN_MS, 1);
    const eased = 1 - (1 - Math.max(share, 0)) ** 3;
    const to = this.first();
    const between = (a: number, b: number) => a + (b - a) * eased;
    this.move(
      new Spherical(
        between(from.radius, to.radius),
        between(from.phi, to.phi),
        between(from.theta, to.theta),
      ),
      target.clone().lerp(this.home.target, eased),
    );
    if (share >= 1) this.returning = undefined;
    return share < 1;
  }

  private first(): Spherical {
    const { distance } = this.home;
    const fit = distance / Math.min(1, this.camera.aspect * 1.15);
    return new Spherical(fit, MathUtils.degToRad(FIRST_TILT_DEG), MathUtils.degToRad(this.frontal ? 0 : FIRST_TURN_DEG));
  }

  private spherical(): Spherical {
    return new Spherical().setFromVector3(
      this.camera.position.clone().sub(this.controls.target),
    );
  }

  private move(place: Spherical, target: Vector3): void {
    const { minPolarAngle, maxPolarAngle, minDistance, maxDistance } = this.controls;
    place.phi = MathUtils.clamp(place.phi, minPolarAngle, maxPolarAngle);
    place.radius = MathUtils.clamp(place.radius, minDistance, maxDistance);
    this.controls.target.copy(target);
    this.camera.position.setFromSpherical(place).add(target);
    this.camera.lookAt(target);
    this.draw();
  }

  private frame(box: Box3): void {
    const size = box.getSize(new Vector3());
    const high = Math.max(size.y, size.x) / FILLED;
    const distance = high / 2 / Math.tan(MathUtils.degToRad(FIELD_DEG / 2)) + size.z / 4;
    this.home = { target: box.getCenter(new Vector3()), distance };
    this.controls.minDistance = 0.3 * distance;
    this.controls.maxDistance = 4 * distance;
    this.camera.near = 0.02 * distance;
    this.camera.far = 10 * distance;
    this.controls.maxTargetRadius = size.length() / 2;
    this.controls.cursor.copy(this.home.target);
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement!;
    if (!width || !height) return;
    const first = this.camera.position.lengthSq() === 0;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    if (this.photo) this.seeAsPhoto(this.photo, width, height);
    if (first && this.head) this.move(this.first(), this.home.target);
    this.render(performance.now()); // at once: a canvas of another size is empty
  }

  /** The photo's camera, where the photo lies in the canvas: contained, in the middle. */
  private seeAsPhoto(photo: PhotoView, width: number, height: number): void {
    const [w, h] = photo.size_px;
    const scale = Math.min(width / w, height / h);
    const f = photo.focal_length_px * scale;
    const x = photo.principal_point_px[0] * scale + (width - w * scale) / 2;
    const y = photo.principal_point_px[1] * scale + (height - h * scale) / 2;
    const depth = photo.translation_mm[2]! * MM;
    const [near, far] = [depth / 4, depth * 4];
    // Row by row, of points in three.js' camera frame: x right, y up, z backwards.
    // prettier-ignore
    this.photoCamera.projectionMatrix.set(
      2 * f / width, 0, 1 - 2 * x / width, 0,
      0, 2 * f / height, 2 * y / height - 1, 0,
      0, 0, -(far + near) / (far - near), -2 * far * near / (far - near),
      0, 0, -1, 0,
    );
    this.photoCamera.projectionMatrixInverse.copy(this.photoCamera.projectionMatrix).invert();
  }
}

/** The photo's pose in metres; its camera's y and z axes point the other way than three.js'. */
function inCamera(photo: PhotoView): Matrix4 {
  const [r, t] = [photo.rotation, photo.translation_mm.map((each) => each * MM)];
  // prettier-ignore
  return new Matrix4().set(
    r[0]![0]!, r[0]![1]!, r[0]![2]!, t[0]!,
    -r[1]![0]!, -r[1]![1]!, -r[1]![2]!, -t[1]!,
    -r[2]![0]!, -r[2]![1]!, -r[2]![2]!, -t[2]!,
    0, 0, 0, 1,
  );
}
