/** The shapes of the server's answers, for the type checker alone: no browser reads this file. */

export interface ModelIdentity { name: string; version: string | null; digest: string }
export interface Window { centre: number; width: number }
export interface ClassProbability { class: string; probability: number }
export interface OperatingPoint { specificity: number; threshold: number; sensitivity: number; reached: boolean }
export interface Positive { classes: string[]; probability: number; operating_points: OperatingPoint[] }
export interface Checks {
  accepted: boolean;
  /** Correlation with the training images' grey values; at least `limit` is wanted. */
  grey_histogram: { correlation: number; limit: number; passed: boolean };
  /** Distance from the training images in the model's features; at most `limit` is wanted. */
  features: { distance: number; limit: number; passed: boolean };
}
export interface Prediction {
  id: string;
  created_at: string;
  file: string | null;
  model: ModelIdentity;
  image: { sha256: string; format: string; width: number; height: number; colour_mode: string; window: Window | null };
  class: string | null;
  confidence: number | null;
  probabilities: ClassProbability[];
  positive: Positive | null;
  checks: Checks | null;
  explanation: { class: string; png: string } | null;
  timings_ms: { decode: number; wait: number; inference: number; total: number };
  stored?: boolean;
  notice: string;
}
export interface Session { name: string; role: "predict" | "review" | "admin" }
export interface ErrorBody { code: string; message: string; request_id?: string; checks?: Checks; id?: string }
export interface Item { file: string | null; prediction?: Prediction; error?: ErrorBody }

export interface Scored { value: number; interval?: { low: number; high: number } }
export interface Scores {
  images: number;
  accuracy: number;
  balanced_accuracy?: number;
  auroc?: number;
  brier?: number;
  expected_calibration_error?: number;
  worth?: { in_words: string; verdict: string; unit: string };
  classes?: Record<string, { precision: number | null; recall: number | null; specificity: number | null; auroc: number | null; support: number }>;
  intervals?: Record<string, unknown>;
}
export type Keeping = "never" | "feedback" | "all";
/** A model of an ensemble, with its share of the answer. */
export interface Member {
  name: string;
  architecture: string;
  weight: number;
  flip: string;
}
export interface Model extends ModelIdentity {
  classes: string[];
  positive: string[];
  image_size: number;
  precision: string;
  device: string;
  /** Empty for a single model; `trained` is of the first. */
  ensemble: Member[];
  trained: { run: string; checkpoint: string; epoch: number; valid_accuracy: number; valid_loss: number };
  calibration: { temperature: number; expected_calibration_error: { before: number | null; after: number | null } } | null;
  scores: Scores | null;
  loaded_at: string;
  previous: ModelIdentity | null;
  foreign_images: "refuse" | "flag";
  store_images: Keeping;
  retention_days: number;
  follows_registry: boolean;
  training: "off" | "here" | "job";
  notice: string;
}

export interface Feedback { class: string; note: string | null; created_at: string; right: boolean }
export interface Row {
  id: string;
  created_at: string;
  file: string | null;
  class: string | null;
  confidence: number | null;
  probabilities: ClassProbability[];
  accepted: boolean;
  model_digest: string;
  image_sha256: string;
  inference_ms: number;
  feedback: Feedback | null;
  image_url: string | null;
}
export interface FeedbackSummary {
  total: number;
  wrong: number;
  since_training: { corrections: number; without_image: number; missing: string | null; threshold: number; due: boolean; trained_at: string | null };
  by_class: { predicted: string | null; corrected: string; count: number }[];
}
export interface Day {
  day: string;
  accepted: number;
  refused: number;
  mean_confidence: number | null;
  mean_feature_distance: number | null;
  by_class: Record<string, number>;
}
export interface Dashboard {
  days: number;
  counts: { total: number; accepted: number; refused: number };
  by_class: { class: string; count: number; mean_confidence: number | null; mean_probability: number | null }[];
  feedback: { right: number; wrong: number; by_class: { class: string | null; right: number; wrong: number }[] };
  latency_ms: { class: string; p50: number; p95: number }[];
  per_day: Day[];
}
export interface Sample { name: string; url: string; class: string }

export type StageState = "waiting" | "running" | "done" | "skipped" | "failed";
export interface Training {
  state: "idle" | "running" | "succeeded" | "failed";
  id: string | null;
  started_at: string | null;
  finished_at: string | null;
  stage: string | null;
  stages: { name: string; state: StageState }[];
  log: string[];
  outcome: { promoted: boolean; reason: string } | null;
}
export interface DriftSignal { signal: "feature_distance" | "grey_distance" | "class_shares" | "confidence"; statistic: number; limit: number; alarm: boolean }
export interface DriftWindow { from: string; until: string; images: number; signals: DriftSignal[] }
export interface Drift {
  model: string;
  has_reference: boolean;
  window_hours: number;
  least_images: number;
  false_alarm_days: number;
  windows: DriftWindow[];
}
