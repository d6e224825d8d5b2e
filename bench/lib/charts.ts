/** Charts of a run: one of all targets, and one of each scenario. */
import { show } from './report.ts';
import { SUBJECTS } from './subjects.ts';
import { type Bar, type Panel, svg } from './svg.ts';
import { type Measured, spreadOf, type Verdict, verdicts } from './verdicts.ts';

/** What is missed by far would make all others look alike. */
const MOST_USED = 2;

/** Names of files and what is in them. */
export function charts(measured: readonly Measured[]): Map<string, string> {
  const files = new Map(measured.map((one) => [`${one.scenario.name}.svg`, ofScenario(one)]));
  const judged = measured.flatMap(verdicts);
  if (judged.length > 0) files.set('overview.svg', overview(judged));
  return files;
}

function overview(judged: readonly Verdict[]): string {
  const bars = judged.map(({ name, figure, beside, ratio, bound, used, holds }): Bar => {
    const [control] = /^\([a-z]\)/.exec(beside ?? '') ?? [];
    const times = control === undefined ? '' : ` × ${control}`;
    const seen = Number.isFinite(ratio) ? `${ratio.toFixed(2)}${times}` : 'not measured';
    return {
      label: `${name}: ${figure}`,
      value: used,
      low: used,
      high: used,
      text: `${holds ? '✓' : '✗'} ${seen}, target ${bound}`,
      tone: holds ? 'good' : 'bad',
    };
  });
  const title = 'How much of its bound each target uses';
  return svg({
    title,
    description: judged
      .map(({ name, text, holds }) => `${name}: ${text}: ${holds ? 'holds' : 'missed'}`)
      .join('. '),
    panels: [{ title: 'shorter is better; the line is the bound', bars, mark: 1, most: MOST_USED }],
  });
}

/** The figures that have targets, or the first one: what a scenario is about. */
function ofScenario({ scenario, runs }: Measured): string {
  const { title, subjects, figures, targets } = scenario;
  const [first] = Object.keys(figures);
  const judged = targets.flatMap(({ figure, toFigure }) => (toFigure ? [toFigure, figure] : [figure]));
  const shown = judged.length === 0 && first !== undefined ? [first] : [...new Set(judged)];
  const panels = shown.map((figure): Panel => {
    const bars = subjects.map((subject): Bar => {
      const spread = spreadOf(runs.get(subject) ?? [], figure);
      const { median, low, high } = spread;
      const isServer = SUBJECTS[subject].kind === 'server';
      const label = plain(SUBJECTS[subject].title);
      return { label, value: median, low, high, text: show(spread), tone: isServer ? 'plain' : 'other' };
    });
    return { title: figures[figure] ?? figure, bars };
  });
  const heard = panels.map((panel) => `${panel.title}: ${panel.bars.map(said).join(', ')}`);
  return svg({ title: plain(title), description: heard.join('. '), panels });
}

const said = ({ label, text }: Bar): string => `${label} ${text}`;
const plain = (title: string): string => title.replaceAll('`', '');
