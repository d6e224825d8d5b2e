/** Who of the labels in a transcript is who: without any model, and the same for the same merges. */

/** A part of a transcript that somebody says. */
export interface SpokenSegment {
  readonly text: string;
  /** Absent where nobody can tell who speaks. */
  readonly speaker?: string | undefined;
  /** Seconds from the beginning. */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** The labels of a transcript, in the order in which they begin to speak. */
export function labelsOf(segments: readonly SpokenSegment[]): readonly string[] {
  const labels = new Set<string>();
  for (const { speaker } of segments) if (speaker !== undefined) labels.add(speaker);
  return [...labels];
}

export type MergeOutcome =
  | { readonly ok: true; readonly merged: readonly string[]; readonly into: string }
  /** For the model: what is wrong with it, and what is possible. */
  | { readonly ok: false; readonly error: string };

/**
 * The people behind the labels. At first everybody is somebody of their own; who is merged is one person from then on, named
 * by whichever of its labels speaks first. There are never fewer of them than `wanted`.
 */
export class Speakers {
  readonly labels: readonly string[];
  readonly wanted: number;
  /** The label that each label was merged into; its own where it names the person. */
  readonly #parents: Map<string, string>;
  #count: number;

  constructor(labels: readonly string[], wanted: number) {
    this.labels = [...new Set(labels)];
    this.wanted = wanted;
    this.#parents = new Map(this.labels.map((label) => [label, label]));
    this.#count = this.labels.length;
  }

  /** How many people there are now. */
  get count(): number {
    return this.#count;
  }

  /** One label for each person. */
  get people(): readonly string[] {
    return this.labels.filter((label) => this.#parents.get(label) === label);
  }

  /** The labels of each person. */
  get groups(): readonly (readonly string[])[] {
    const groups = new Map<string, string[]>();
    for (const label of this.labels) {
      const person = this.person(label) ?? label;
      groups.set(person, [...(groups.get(person) ?? []), label]);
    }
    return [...groups.values()];
  }

  /** Each label with the label of its person. */
  get mapping(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.labels.map((label) => [label, this.person(label) ?? label]));
  }

  /** The label of the person behind a label; undefined when there is no such label. */
  person(label: string): string | undefined {
    let at = this.#parents.get(label);
    while (at !== undefined) {
      const parent = this.#parents.get(at);
      if (parent === at) break;
      at = parent;
    }
    return at;
  }

  /** Makes one person of these labels, or changes nothing. */
  merge(labels: readonly string[]): MergeOutcome {
    const unknown = labels.filter((label) => !this.#parents.has(label));
    if (unknown.length > 0) {
      return refused(
        `There is no label ${list(unknown.slice(0, 3))}; the labels are: ${this.labels.join(', ')}`,
      );
    }
    const merged = [...new Set(labels)];
    if (merged.length < 2) return refused('Name at least two different labels that are one person');
    const persons = new Set(merged.map((label) => this.person(label)));
    const people = this.people.filter((label) => persons.has(label));
    const [into] = people;
    if (into === undefined || people.length < 2) return refused(`${list(merged)} are one person already`);
    const left = this.#count - people.length + 1;
    if (left < this.wanted) {
      const most = this.#count - this.wanted + 1;
      return refused(
        most < 2
          ? `There are ${this.wanted} people already, as many as there have to be`
          : `That would leave ${left} of ${this.wanted} people; at most ${most} people can become one`,
      );
    }
    for (const person of people) this.#parents.set(person, into);
    this.#count = left;
    return { ok: true, merged, into };
  }
}

/** With the labels of the people, and neighbouring segments of one person joined. */
export function mergeSegments(
  segments: readonly SpokenSegment[],
  speakers: Pick<Speakers, 'person'>,
): readonly SpokenSegment[] {
  const joined: SpokenSegment[] = [];
  for (const segment of segments) {
    const speaker = segment.speaker === undefined ? undefined : speakers.person(segment.speaker);
    const last = joined.at(-1);
    if (last && speaker !== undefined && last.speaker === speaker) {
      const end = segment.end ?? last.end;
      const text = [last.text, segment.text].filter((one) => one !== '').join(' ');
      joined[joined.length - 1] = { ...last, ...(end === undefined ? {} : { end }), text };
    } else joined.push({ ...segment, ...(speaker === undefined ? {} : { speaker }) });
  }
  return joined;
}

function refused(error: string): MergeOutcome {
  return { ok: false, error };
}

function list(labels: readonly string[]): string {
  return labels.map((label) => JSON.stringify(label.slice(0, 100))).join(', ');
}
