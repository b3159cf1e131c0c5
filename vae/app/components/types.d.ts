/** What the browser side is told, and what it tells: for `tsc`, which reads it with the scripts. */

export {};

declare global {
  interface Window {
    /** load.js */
    componentOf: (version: string, file: string) => (component: Component) => Promise<(() => void) | void>;
    /** mounted.js */
    instruments: WeakMap<Node, any>;
    Plotly: any;
  }

  interface Document {
    /** page.js: what the page is about, and how its script is run again */
    vaeLab?: {
      model?: string;
      own?: string | null;
      end?: string;
      runAgain?: () => void;
      turnTo?: (chapter: string) => void;
    };
  }

  /** A row of the glossary: vae/app/look/terms.py */
  interface Term {
    name: string;
    sentence: string;
    unit: string;
    formula: string;
    chapter: string;
  }

  /** What Streamlit hands a component's module at each update. */
  interface Component<Data = any> {
    name: string;
    key: string;
    data: Data;
    parentElement: HTMLElement | ShadowRoot;
    setStateValue(name: string, value: unknown): void;
    setTriggerValue(name: string, value: unknown): void;
  }

  /** One on the page: `update` at each run of the script, `end` when the page is left. */
  interface Instrument<Data = any> {
    root: HTMLElement;
    update(component: Component<Data>): void | Promise<void>;
    end(): void;
  }

  /** channels, height, width */
  type Shape = [number, number, number];
  type Pixels = Uint8Array | Uint8ClampedArray;
  type Place = number[];
  type Pair = [number, number];
  /** bytes, float32 or uint32 values in base64 */
  type Base64 = string;

  /** vae/app/live/wire.py */
  interface LiveData {
    path: string;
    token: string;
    heard: { n: string; message: Base64 } | null;
    run: number | null;
    models: LiveModel[];
  }

  /** A model by its number in this session, and the sizes that layouts of answers speak of. */
  interface LiveModel extends Sizes {
    number: number;
    slow: boolean;
    /** ms without an answer, after which the line is dead */
    patience: number;
  }

  /** Where pictures lie that are only shown, and how many on a side of a sheet: vae/app/live/routes.py */
  interface Sheets {
    path: string;
    side: number;
  }

  /** an axis of a chart: what is at its ends, where numbers stand, and what is told of it */
  interface ChartAxis {
    range: [number, number];
    ticks: number[];
    name: string;
    scale?: (value: number) => number;
  }

  interface Sizes {
    latents: number;
    pixels: number;
  }

  /** name, what it is made of, and how many of them: vae/app/live/layouts.py */
  type Layout = [string, "f4" | "u1" | "u2" | Layout, number | "latents" | "pixels" | "rest"][];

  interface Encoded {
    mu: Place;
    sigma: Place;
  }

  interface Preset extends Encoded {
    id: string;
    label: string;
    name: string;
    own?: boolean;
  }

  /** A slider by name: what it adds to z for one unit asked, how far it goes, and how sure it is. */
  interface NamedRow {
    name: string;
    words: string;
    unit: "degrees" | "pixels" | "%" | "nats" | "standard deviations"; // standard deviations of the encodings
    digits: number;
    step: Place;
    most: number;
    range: Pair | null; // how much of it is usual; null where that is not known
    reading?: { weights: Base64; scale: number; offset: number; block: number }; // of a class, or two groups: int8
    short: string;
    sure: string;
  }

  interface ExploreData {
    live: LiveData;
    rev: string;
    model: string;
    flat: boolean;
    latents: number;
    shape: Shape;
    pixels: number;
    grey: number;
    z: Place;
    given: string;
    sampled: boolean;
    kl: number[];
    order: number[];
    active: number;
    shown: number;
    reach: number[];
    named: { kind: string; rows: NamedRow[]; classes: NamedRow[]; yours: NamedRow[] } | null;
    components: { directions: Place[]; reach: number };
    presets: Preset[];
    levels: Base64;
    answer: Base64;
  }

  interface MapData {
    live: LiveData;
    rev: string;
    turn: string;
    model: string;
    pictures: Sheets;
    latents: number;
    shape: Shape;
    z: Place;
    given: string;
    levels: Base64;
    xy: Base64;
    labels: Base64;
    rows: Base64;
    values: Record<"elbo" | "kl" | "reconstruction", Base64>;
    rank: Base64;
    side: number;
    middle: Pair;
    far: number;
    farthest: number;
    along: Place[] | null;
    titles: [string, string];
    classes: string[];
    colours: string[];
    typical: number[];
    groups: Record<string, Base64>;
    marks: ({ label: string } & Encoded)[];
    direction: { name: string; vector: Place } | null;
    kept: number | null;
    plotly: string;
  }

  interface Judged {
    length: number;
    largest_step: number;
    lowest_density: number;
    shell: number[];
  }

  interface Way {
    strip: Base64;
    z: Base64;
    series: Record<string, Base64>;
    judged: Judged;
  }

  interface End {
    letter: string;
    name: string;
    poor: string;
    pixels: Base64;
    mu: Place;
  }

  interface JourneyData {
    live: LiveData;
    rev: string;
    latents: number;
    shape: Shape;
    lengths: "bits" | "levels";
    mode: "two" | "four" | "sum";
    ends: End[];
    ways: Record<string, Way>;
    square: { side: number; strip: Base64 } | null;
    most: number;
    steps: number;
    speed: number;
    chosen: string;
    at: number[];
  }

  /** What `playButton` plays. */
  interface Film {
    next(): void;
    show(): void;
  }

  interface PadData {
    live: LiveData;
    rev: string;
    shape: Shape;
    grey: number;
    order: number[];
    canvas: Base64 | null;
  }

  /** vae/app/pages/photos.py; `see` is keep, noise, seed, share, look */
  interface PhotosData {
    live: LiveData;
    rev: string;
    photos: { id: string; name: string; picture: string }[];
    chosen: { photo: string; other: string; side: number };
    sides: number[];
    about: string;
    number: number;
    other: number;
    shape: Shape;
    latents: number;
    /** how it can be looked at */
    looks: string[];
    /** whether the first channels were taught to tell most */
    ordered: boolean;
    farthest: number;
    see: [number, number, number, number, string];
    map: Shape;
    means: Base64;
    /** null where nothing says what a number costs */
    told: Base64 | null;
    most: number;
    costs: number[];
  }

  /** what a training's process is to do: vae/serve/jobs/asked.py */
  interface Wish {
    pause: boolean;
    steps: number;
    slow: boolean;
    stop: boolean;
  }

  interface Loss {
    distortion: number;
    rate: number;
    negative_elbo: number;
    loss: number;
  }

  /** one moment of a training: vae/train/own/watch.py */
  interface Moment {
    step: number;
    steps: number;
    epoch: number;
    train: Loss;
    validation: Loss;
    floor: number | null;
    kl: number[];
    points: Pair[];
    sheet: Base64;
    words: string[];
    left: number | null;
  }

  /** vae/app/live/routes.py */
  interface WatchingAnswer {
    stand: string;
    before: number;
    why: string;
    lost: boolean;
    said: string;
    measures: boolean;
    steps: number[];
    frames: Moment[];
    wish: Wish;
  }

  /** vae/app/pages/train.py */
  interface WatchingData {
    rev: string;
    path: string;
    side: number;
    labels: number[];
    classes: string[];
    colours: string[];
    linear: string;
    brought: boolean;
  }

  interface CropData {
    rev: string;
    picture: string;
    width: number;
    height: number;
    box: number[];
  }

  interface EyesData {
    rev: string;
    picture: string;
    width: number;
    height: number;
    eyes: number[];
    usual: [number, number][];
    by_hand: boolean;
    said: string;
  }

  interface Gaussian {
    weight: number;
    mean: number;
    sigma: number;
  }

  type Density = Gaussian[];

  interface DivergenceData {
    rev: string;
    p: number[];
    q: number[];
    about: string;
    pixels: Base64;
    shape: Shape;
    latents: [number, number, number][];
    count: number;
    total: number;
    modes: { p: number[]; q: number[] };
    times: number;
    picture: number;
  }
}
