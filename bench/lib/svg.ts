/** Horizontal bars as SVG, readable on a light and on a dark page. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Of several runs. */
  readonly low: number;
  readonly high: number;
  /** What stands behind the bar. */
  readonly text: string;
  readonly tone: 'plain' | 'other' | 'good' | 'bad';
}

export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** Where a line crosses all bars. */
  readonly mark?: number;
  /** Longer bars are cut off here. */
  readonly most?: number;
}

export interface Chart {
  readonly title: string;
  /** For those who hear the chart. */
  readonly description: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 900;
const LEFT = 340;
const LENGTH = 360;
const TOP = 44;
const HEADING = 26;
const ROW = 24;
const THICKNESS = 14;
const GAP = 14;
const LONGEST_LABEL = 52;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 } .heading { font-weight: 600 }
  .plain { fill: #2f6fdb } .other { fill: #8c959f } .good { fill: #1a7f37 } .bad { fill: #cf222e }
  .line { stroke: #1f2328; stroke-width: 1.5 } .mark { stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .line { stroke: #e6edf3 }
    .plain { fill: #539bf5 } .other { fill: #768390 } .good { fill: #3fb950 } .bad { fill: #f85149 }
  }`;

export function svg({ title, description, panels }: Chart): string {
  const drawn: string[] = [];
  let y = TOP;
  for (const panel of panels) {
    drawn.push(draw(panel, y));
    y += HEADING + ROW * panel.bars.length + GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    text(12, 24, title, 'title'),
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function draw({ title, bars, mark, most = Number.POSITIVE_INFINITY }: Panel, top: number): string {
  const values = [...bars.flatMap(({ value, high }) => [value, high]), mark ?? 0].filter(Number.isFinite);
  const longest = Math.min(most, Math.max(...values)) || 1;
  const x = (value: number) => round(LEFT + (LENGTH * Math.min(Math.max(value, 0), longest)) / longest);
  const rows = bars.map((bar, index) => drawBar(bar, top + HEADING + ROW * index, x, mark));
  const line = mark === undefined ? [] : [drawMark(x(mark), top + HEADING, ROW * bars.length)];
  return [text(12, top + 14, title, 'heading'), ...rows, ...line].join('\n');
}

function drawBar(bar: Bar, y: number, x: (value: number) => number, mark: number | undefined): string {
  const { label, value, low, high, text: behind, tone } = bar;
  const middle = y + THICKNESS / 2;
  const short = label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;
  const name = `<g><title>${escaped(`${label}: ${behind}`)}</title>${text(LEFT - 8, middle + 4, short, '', 'end')}</g>`;
  if (!Number.isFinite(value)) return `${name}\n${text(LEFT + 4, middle + 4, behind)}`;
  const width = round(x(value) - LEFT);
  // Not across the line.
  const end = mark === undefined ? Math.max(x(value), x(high)) : LEFT + LENGTH;
  const drawn = `<rect class="${tone}" x="${LEFT}" y="${y}" width="${width}" height="${THICKNESS}" rx="2"/>`;
  const whisker =
    high > low
      ? `<path class="line" fill="none" d="M${x(low)} ${middle - 4}v8M${x(low)} ${middle}H${x(high)}M${x(high)} ${middle - 4}v8"/>`
      : '';
  return `${name}\n${drawn}${whisker}\n${text(end + 8, middle + 4, behind)}`;
}

function drawMark(x: number, y: number, height: number): string {
  return `<path class="line mark" d="M${x} ${y - 4}v${height}"/>`;
}

function text(x: number, y: number, content: string, style = '', anchor: 'start' | 'end' = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${style}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(content: string): string {
  return content.replaceAll(/[&<>"]/g, (character) => ESCAPES[character] ?? character);
}
