import { Button } from '@mantine/core';
import { memo, useDeferredValue, useEffect, useState } from 'react';
import ReactMarkdown, { type Components, type Options } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { Scroller } from '../../components/scroller.tsx';
import { count } from '../../lib/format.ts';
import { CodeBlock } from './code-block.tsx';
import { ExternalLink } from './external-link.tsx';
import classes from './markdown.module.css';

type Plugins = NonNullable<Options['rehypePlugins']>;

/** More than this is laid out only when somebody wants it: an answer must not stop the page. */
const SHOWN = 20_000;
const REMARK = [remarkGfm];

/** What a model says is not trusted: no HTML of it, nothing that loads by itself, and links that say where they lead. */
const COMPONENTS: Components = {
  a: ({ href, children }) => <ExternalLink href={href}>{children}</ExternalLink>,
  img: ({ src, alt }) => (
    <ExternalLink href={typeof src === 'string' ? src : undefined}>
      {alt || 'Image'} (image, not loaded)
    </ExternalLink>
  ),
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  table: ({ children }) => (
    <Scroller className={classes.table} label="Table">
      <table>{children}</table>
    </Scroller>
  ),
  input: ({ checked }) => <span aria-hidden>{checked ? '☑' : '☐'} </span>,
  // Under the headings of the page.
  h1: ({ children }) => <h3>{children}</h3>,
  h2: ({ children }) => <h3>{children}</h3>,
  h3: ({ children }) => <h4>{children}</h4>,
  h4: ({ children }) => <h5>{children}</h5>,
  h5: ({ children }) => <h6>{children}</h6>,
};

export interface MarkdownProps {
  readonly text: string;
}

export const Markdown = memo(function Markdown({ text }: MarkdownProps) {
  const [whole, setWhole] = useState(false);
  const isCut = text.length > SHOWN && !whole;
  const shown = useDeferredValue(isCut ? text.slice(0, SHOWN) : text);
  const plugins = useHighlighter(shown.includes('```'));
  return (
    <div className={classes.text}>
      <ReactMarkdown skipHtml remarkPlugins={REMARK} rehypePlugins={plugins} components={COMPONENTS}>
        {shown}
      </ReactMarkdown>
      {isCut ? (
        <Button size="compact-sm" variant="light" onClick={() => setWhole(true)}>
          Show all {count(text.length)} characters
        </Button>
      ) : null}
    </div>
  );
});

const NONE: Plugins = [];
let loaded: Plugins | null = null;

/** The highlighter is large, so it comes when the first code does. */
function useHighlighter(isWanted: boolean): Plugins {
  const [plugins, setPlugins] = useState<Plugins>(loaded ?? NONE);
  useEffect(() => {
    if (!isWanted || plugins !== NONE) return;
    let isGone = false;
    import('rehype-highlight')
      .then(({ default: highlight }) => {
        loaded ??= [highlight];
        if (!isGone) setPlugins(loaded);
      })
      // Code without colours can be read, too.
      .catch(() => {});
    return () => {
      isGone = true;
    };
  }, [isWanted, plugins]);
  return plugins;
}
