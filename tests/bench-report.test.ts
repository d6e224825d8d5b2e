/** What the bench concludes from its figures. */
import { describe, expect, test } from 'vitest';
import { charts } from '../bench/lib/charts.ts';
import { json, markdown, type Run } from '../bench/lib/report.ts';
import type { Figures, Scenario, Target } from '../bench/lib/scenario.ts';
import type { Subject } from '../bench/lib/subjects.ts';
import { svg } from '../bench/lib/svg.ts';
import { type Measured, spreadOf, verdicts } from '../bench/lib/verdicts.ts';

const figures = { cost: 'CPU, µs', before: 'CPU before, µs' };

function scenarioOf(targets: readonly Target[]): Scenario {
  const subjects = ['server', 'byHand'] as const;
  return { name: 'a', title: 'what <it> costs', subjects, figures, targets, measure: async () => ({}) };
}

function measuredOf(
  targets: readonly Target[],
  runs: Partial<Record<Subject, readonly Figures[]>>,
): Measured {
  return { scenario: scenarioOf(targets), runs: new Map(Object.entries(runs) as [Subject, Figures[]][]) };
}

function runOf(measured: Measured, run: Partial<Run> = {}): Run {
  const machine = { cpus: 2, model: 'CPU', memory: 4, os: 'an OS', versions: { Node: '1.2.3' } };
  const given = { machine, date: '2026-01-02T03:04:05.000Z', runs: 3, smoke: false, failures: [] };
  return { ...given, measured: [measured], ...run };
}

const costs = (...values: readonly number[]): Figures[] => values.map((cost) => ({ cost }));
const TARGET: Target = { figure: 'cost', of: 'server', to: 'byHand', atMost: 0.5 };

describe('a spread', () => {
  test('is the median with the lowest and the highest', () => {
    expect(spreadOf(costs(30, 10, 20), 'cost')).toEqual({ median: 20, low: 10, high: 30 });
    expect(spreadOf(costs(40, 10, 20, 30), 'cost')).toEqual({ median: 25, low: 10, high: 40 });
    expect(spreadOf(costs(1000, 9, 10), 'cost').median).toBe(10);
  });

  test.each([
    { what: 'no runs', runs: [] },
    { what: 'a run without the figure', runs: [{ cost: 1 }, {}, { cost: 3 }] },
    { what: 'a run that was no number', runs: costs(1, Number.NaN, 3) },
  ])('is missing with $what', ({ runs }) => {
    expect(spreadOf(runs, 'cost').median).toBeNaN();
  });
});

describe('a verdict', () => {
  test('compares with another subject', () => {
    const [verdict] = verdicts(measuredOf([TARGET], { server: costs(40), byHand: costs(100) }));
    expect(verdict).toMatchObject({ name: 'a', ratio: 0.4, bound: '≤ 0.5', holds: true, used: 0.8 });
    expect(verdict?.text).toContain('0.40 × (c) by hand');
  });

  test('is missed beyond its bound, and holds at it', () => {
    const holds = (cost: number, target: Target) =>
      verdicts(measuredOf([target], { server: costs(cost), byHand: costs(100) }))[0]?.holds;
    expect(holds(50, TARGET)).toBe(true);
    expect(holds(51, TARGET)).toBe(false);
    const atLeast: Target = { figure: 'cost', of: 'server', to: 'byHand', atLeast: 2 };
    expect(holds(200, atLeast)).toBe(true);
    expect(holds(199, atLeast)).toBe(false);
  });

  test('bounds the figure itself where there is nothing beside', () => {
    const target: Target = { figure: 'cost', of: 'server', atMost: 10 };
    const [verdict] = verdicts(measuredOf([target], { server: costs(5) }));
    expect(verdict).toMatchObject({ ratio: 5, beside: null, holds: true });
    expect(verdict?.text).toBe('CPU, µs: 5.00, target ≤ 10');
  });

  test('compares with another figure of the same subject', () => {
    const target: Target = { figure: 'cost', of: 'server', to: 'server', toFigure: 'before', atMost: 1.1 };
    const [verdict] = verdicts(measuredOf([target], { server: [{ cost: 12, before: 10 }] }));
    expect(verdict).toMatchObject({ ratio: 1.2, beside: 'CPU before, µs', holds: false });
  });

  test.each([
    { what: 'the subject was not measured', runs: { byHand: costs(1) } },
    { what: 'the control was not measured', runs: { server: costs(1) } },
    { what: 'the control is nothing', runs: { server: costs(1), byHand: costs(0) } },
  ])('is missed where $what, and says so', ({ runs }) => {
    const atLeast: Target = { figure: 'cost', of: 'server', to: 'byHand', atLeast: 0.5 };
    for (const verdict of verdicts(measuredOf([TARGET, atLeast], runs))) {
      expect(verdict.holds).toBe(false);
      expect(verdict.text).toContain('not measured');
    }
  });
});

describe('the report', () => {
  const measured = measuredOf([TARGET], { server: costs(60, 50, 70), byHand: costs(100, 100, 100) });

  test('begins with the machine and with all targets', () => {
    const text = markdown(runOf(measured));
    expect(text).toContain('2 × CPU, 4 GiB, an OS');
    expect(text).toContain('Node 1.2.3');
    expect(text).toContain('0 of 1 hold.');
    expect(text).toMatch(/\| a \| CPU, µs \| \(c\).* \| 0\.60 × \| ≤ 0\.5 \| \*\*missed\*\* \|/);
    expect(text).toContain('| CPU, µs | 60.0 (50.0–70.0) | 100 |');
  });

  test('links charts that exist', () => {
    const files = charts([measured]);
    const links = [...markdown(runOf(measured)).matchAll(/\]\(([^)]+\.svg)\)/g)].map(([, file]) => file);
    expect(links).toEqual(['overview.svg', 'a.svg']);
    for (const file of links) expect(files.has(file ?? '')).toBe(true);
  });

  test('shows what is missing as missing, and what failed', () => {
    const text = markdown(
      runOf(measuredOf([TARGET], { server: costs(1) }), { failures: ['a, by hand: gone'] }),
    );
    expect(text).toContain('| CPU, µs | 1.00 | – |');
    expect(text).toContain('not measured');
    expect(text).toContain('**failed**: a, by hand: gone');
  });

  test('says nothing about targets after a smoke run', () => {
    expect(markdown(runOf(measured, { smoke: true }))).not.toMatch(/missed|holds/);
  });

  test('is there as JSON too, with every run', () => {
    const { machine, scenarios } = JSON.parse(json(runOf(measured)));
    expect(machine.versions).toEqual({ Node: '1.2.3' });
    expect(scenarios[0].runs.server).toEqual(costs(60, 50, 70));
    expect(scenarios[0].targets[0]).toMatchObject({ ratio: 0.6, holds: false });
  });
});

describe('a chart', () => {
  const bar = { label: 'a & "b"', value: 2, low: 1, high: 3, text: '<2>', tone: 'good' } as const;
  const chart = {
    title: 'x < y',
    description: 'a & b',
    panels: [{ title: 'p', bars: [bar, { ...bar, value: Number.NaN, low: Number.NaN, high: Number.NaN }] }],
  };

  test('is well-formed and escapes what it shows', () => {
    const drawn = svg(chart);
    expect(tagsLeftOpen(drawn)).toEqual([]);
    expect(drawn).toContain('x &lt; y');
    expect(drawn).toContain('a &amp; &quot;b&quot;');
    expect(drawn.replaceAll(/&(amp|lt|gt|quot);/g, '')).not.toContain('&');
  });

  test('has a title and a description', () => {
    expect(svg(chart)).toMatch(/<title id="title">x &lt; y<\/title>\n<desc id="desc">a &amp; b<\/desc>/);
  });

  test('has no bar where nothing was measured, and whiskers where runs differ', () => {
    const drawn = svg(chart);
    expect(drawn.match(/<rect/g)).toHaveLength(1);
    expect(drawn.match(/<path class="line"/g)).toHaveLength(1);
    expect(drawn).not.toContain('NaN');
  });

  test('of the targets marks what is missed by more than its colour', () => {
    const measured = measuredOf([TARGET], { server: costs(1000), byHand: costs(100) });
    const overview = charts([measured]).get('overview.svg');
    expect(overview).toContain('✗ 10.00 × (c), target ≤ 0.5');
    expect(overview).toContain('class="bad"');
    expect(tagsLeftOpen(overview ?? '')).toEqual([]);
  });

  test('of a scenario without targets shows its first figure', () => {
    const drawn = charts([measuredOf([], { server: costs(5), byHand: costs(7) })]);
    expect([...drawn.keys()]).toEqual(['a.svg']);
    expect(drawn.get('a.svg')).toContain('what &lt;it&gt; costs');
    expect(drawn.get('a.svg')?.match(/<rect/g)).toHaveLength(2);
  });
});

/** What is opened and not closed in its place. */
function tagsLeftOpen(xml: string): string[] {
  const open: string[] = [];
  for (const [, closing, name = '', attributes = ''] of xml.matchAll(
    /<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*\/?)>/g,
  )) {
    if (closing === '/') expect(open.pop()).toBe(name);
    else if (!attributes.endsWith('/')) open.push(name);
  }
  expect(xml.replaceAll(/<\/?[a-z]+(?:\s+[\w:-]+="[^"<]*")*\/?>/g, '')).not.toMatch(/[<>]/);
  return open;
}
