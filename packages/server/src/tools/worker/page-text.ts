/** The thread that makes text of web pages: reading a large or hostile one takes seconds. */
import { convert, type HtmlToTextOptions } from 'html-to-text';
import { serve } from './serve.ts';

const MAX_TITLE = 300;
/** A title comes early, or not at all. */
const HEAD = 100_000;
const ELLIPSIS = ' … ';

export interface Page {
  readonly html: string;
  /** What its links are relative to. */
  readonly url: string;
}

export interface PageText {
  readonly title: string;
  readonly text: string;
}

const LIMITS = { maxDepth: 250, maxChildNodes: 20_000, ellipsis: ELLIPSIS };
const SKIPPED = [
  'head',
  'title',
  'img',
  'svg',
  'iframe',
  'noscript',
  'template',
  'object',
  'canvas',
  'select',
  'button',
];

function readPage({ html, url }: Page): PageText {
  return { title: titleOf(html), text: convert(html, textOptions(url)).trim() };
}

function textOptions(base: string): HtmlToTextOptions {
  return {
    wordwrap: false,
    limits: LIMITS,
    selectors: [
      ...SKIPPED.map((selector) => ({ selector, format: 'skip' })),
      {
        selector: 'a',
        options: {
          noAnchorUrl: true,
          hideLinkHrefIfSameAsText: true,
          pathRewrite: (href: string) => absolute(href, base),
        },
      },
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({
        selector,
        options: { uppercase: false },
      })),
    ],
  };
}

/** Where a link leads; nothing where that is no page. */
function absolute(href: string, base: string): string {
  const url = URL.parse(href, base);
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url.href : '';
}

function titleOf(html: string): string {
  const title = convert(html.slice(0, HEAD), {
    wordwrap: false,
    limits: { ...LIMITS, maxBaseElements: 1 },
    baseElements: { selectors: ['title'], returnDomByDefault: false },
  });
  return title.trim().slice(0, MAX_TITLE);
}

serve(readPage);
